"""C compiled into a shared library and called from here."""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from microstage.errors import EnvironmentProblem, MicrostageError

__all__ = ["COMPILERS", "FORMS", "SANITIZERS", "compile_library", "compiler"]

SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
COMPILERS = ("gcc", "clang")
FORMS: list[tuple[str, tuple[str, ...]]] = [
    (c, (level,)) for c in COMPILERS for level in ("-O0", "-O1", "-O2", "-O3", "-O3 -march=native", "-O3 -mavx2")
]
FORMS += [(c, ("-O1", *SANITIZERS)) for c in COMPILERS] + [("gcc", ("-O1 -march=native", *SANITIZERS))]
FORMS += [(c, ("-O2 -DMS_SMALL_MACHINE=1",)) for c in COMPILERS]
FORMS += [("gcc", ("-O1 -DMS_SMALL_MACHINE=1", *SANITIZERS))]
FORMS += [(c, ("-O2 -funsigned-char",)) for c in COMPILERS]
"Every compilation in which generated C must give the same integers: (compiler, flags, several words in some)."


def compiler() -> list[str]:
    """Return the command of the C compiler: $CC, else gcc."""
    return shlex.split(os.environ.get("CC", "gcc"))


def compile_library(sources: Sequence[Path], flags: Sequence[str], target: Path) -> ctypes.CDLL:
    """Compile `sources` into one shared library at `target`, and load it."""
    command = [*compiler(), *flags, "-shared", "-fPIC", "-o", str(target), *map(str, sources)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise EnvironmentProblem(f"{command[0]} is not installed; `apt-get install gcc libc6-dev` mends it.") from None
    if done.returncode:
        raise MicrostageError(
            f"{command[0]} refused {sources[0].name} with {' '.join(flags)}: {done.stderr.strip()[:2000]}"
        )
    return ctypes.CDLL(str(target))
