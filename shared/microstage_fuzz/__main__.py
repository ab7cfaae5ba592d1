"""`python -m microstage_fuzz TARGET`: one reader, in the environment of its stage.

--replay FILE ...          a line for each file that finds a fault; exit code 1 if any does
--found DIR [OPTION ...]   fuzz with atheris; OPTIONs and corpora are libFuzzer's; a file in DIR for each fault
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from microstage.untrusted.bounds import within
from microstage_fuzz.judging import Fault, Reader, fault_of
from microstage_fuzz.readers import reader_of
from microstage_fuzz.targets import TARGETS

__all__ = ["SLOWEST"]

SLOWEST = "slowest"  # the file in DIR that says how many seconds the slowest input took
_SECONDS = 60  # of one file that is replayed


def _tried(read: Reader, data: bytes) -> Fault | None:
    folder = Path(tempfile.mkdtemp(prefix="microstage-fuzz."))
    try:
        return fault_of(read, data, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _replay(name: str, files: Sequence[str]) -> int:
    read, failed = reader_of(name), 0
    for file in files:
        with within(_SECONDS):
            fault = _tried(read, Path(file).read_bytes())
        if fault:
            failed += 1
            print(f"{file}: {fault.kind}\n{fault.told}", flush=True)
    return 1 if failed else 0


def _fuzz(name: str, found: Path, options: Sequence[str]) -> None:
    import atheris

    with atheris.instrument_imports(include=list(TARGETS[name].watched)):
        read = reader_of(name)
    slowest = 0.0

    def one(data: bytes) -> None:
        nonlocal slowest
        began = time.monotonic()
        fault = _tried(read, data)
        if (took := time.monotonic() - began) > slowest:
            slowest = took
            (found / SLOWEST).write_text(f"{slowest:.3f}")
        if fault:
            _keep(found, fault, data)

    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()


def _keep(found: Path, fault: Fault, data: bytes) -> None:
    """Keep the shortest input of each fault, and what it does."""
    path = found / f"fault-{fault.name}"
    if not path.exists() or path.stat().st_size > len(data):
        path.write_bytes(data)
        (found / f"{path.name}.txt").write_text(f"{fault.kind}\n{fault.told}")


if __name__ == "__main__":
    if sys.argv[2] == "--replay":
        raise SystemExit(_replay(sys.argv[1], sys.argv[3:]))
    _fuzz(sys.argv[1], Path(sys.argv[3]), sys.argv[4:])
