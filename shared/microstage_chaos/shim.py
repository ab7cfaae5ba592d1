"""The library that stands between a program and the C library (shim.c): compiled here, chosen by variables."""

from __future__ import annotations

import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from microstage_chaos.outcome import Skipped

__all__ = ["Entry", "Shim", "compiled"]

_SOURCE = Path(__file__).with_name("shim.c")
_PAGE = 4096


def compiled(folder: Path) -> Path:
    """Return shim.so in `folder`, compiled where it is not there; `Skipped` without a compiler."""
    library = folder / "shim.so"
    if not library.exists():
        compiler = shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            raise Skipped("neither gcc nor clang is here")
        words = [compiler, "-std=c11", "-O1", "-shared", "-fPIC", str(_SOURCE), "-o", str(library), "-ldl"]
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    return library


@dataclass(frozen=True)
class Entry:
    """A line of the journal: what the call number `call` did to the inode of a file, or to entries of a folder."""

    call: int
    what: str
    inode: int
    paths: list[str]


@dataclass(frozen=True)
class Shim:
    """One run that is watched: calls that change files below `under` are counted, and at the call `at` (from 1) it
    `does` kill, power, full or readonly. `place` is a folder for its page and its journal.
    """

    library: Path
    place: Path
    under: Path
    at: int = 0
    does: str = ""

    def environment(self) -> dict[str, str]:
        """Return the variables of the run; the counter begins at 0 and the journal is empty."""
        self.place.mkdir(parents=True, exist_ok=True)
        self._shared.write_bytes(bytes(_PAGE))
        self._journal.write_bytes(b"")
        return {
            "LD_PRELOAD": str(self.library),
            "SHIM_UNDER": str(self.under),
            "SHIM_SHARED": str(self._shared),
            "SHIM_JOURNAL": str(self._journal),
            "SHIM_AT": str(self.at),
            "SHIM_DO": self.does,
        }

    @property
    def calls(self) -> int:
        """How many calls the run made."""
        return struct.unpack_from("q", self._shared.read_bytes())[0]

    @property
    def journal(self) -> list[Entry]:
        """What was done, in order."""
        lines = (line.split("\t") for line in self._journal.read_text().splitlines())
        return [Entry(int(call), what, int(inode), paths) for call, what, inode, *paths in lines]

    @property
    def _shared(self) -> Path:
        return self.place / "calls"

    @property
    def _journal(self) -> Path:
        return self.place / "journal"
