"""The same network as a file, run by the interpreter that stages/cbackend has."""

from __future__ import annotations

import ctypes
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from microstage.errors import MicrostageError
from microstage_bench.compiling import compile_library
from microstage_bench.generated import Generated

__all__ = ["Interpreted", "network_file_of"]

_BACKEND = Path(__file__).parents[2] / "stages" / "cbackend" / "microstage_cbackend"
_FLAGS = ("-std=c99", "-O3", "-march=native", "-DMSN_DISPATCH=0")
"Those of the row `vector`, which it stands beside: kernels for this processor alone."
_SHIM = """\
#include "msn.h"
static msn_network network;
static void *arena;
static void *const *ends, *const *given;
int bench_open(const void *file, size_t bytes) { return msn_open(file, bytes, &network); }
uint32_t bench_arena_bytes(void) { return msn_arena_bytes(&network); }
void bench_put(void *memory, void *const *inputs, void *const *outputs)
{
    arena = memory;
    ends = inputs;
    given = outputs;
}
int bench_call(void) { return (int)msn_infer(&network, arena, (const void *const *)ends, given); }
"""


def network_file_of(folder: Path) -> Path | None:
    """Return the network file beside the C in `folder`, None where there is none."""
    return next(iter(sorted(folder.glob("*.msn"))), None)


class Interpreted:
    """A `runtimes.Runtime` over a network file; its ends are those of the C that was written with it."""

    def __init__(self, file: Path, written: Generated, scratch: Path) -> None:
        library = _library(scratch)
        self.inputs, self.outputs = written.inputs, written.outputs
        self._file = _aligned(file.read_bytes())
        if status := library.bench_open(ctypes.c_void_p(self._file.ctypes.data), ctypes.c_size_t(self._file.size)):
            raise MicrostageError(f"The interpreter does not open {file} (status {status}).")
        self._arena = _aligned(bytes(library.bench_arena_bytes()))
        self._taken, self._given = (
            [np.zeros(v.size, v.dtype) for v in side] for side in (written.taken, written.given)
        )
        self._ends = [
            (ctypes.c_void_p * len(side))(*(v.ctypes.data for v in side)) for side in (self._taken, self._given)
        ]
        library.bench_put(ctypes.c_void_p(self._arena.ctypes.data), *self._ends)
        self.call: Callable[[], int] = library.bench_call

    def put(self, values: Sequence[np.ndarray]) -> None:
        for place, value in zip(self._taken, values):
            place[:] = value.ravel()

    def get(self) -> list[np.ndarray]:
        return [values.copy()[None] for values in self._given]


def _library(scratch: Path) -> ctypes.CDLL:
    """Compile the interpreter once; load a copy for each network, which has variables of its own."""
    work = scratch / "interpreter"
    if not (work / "library.so").exists():
        work.mkdir(parents=True)
        (work / "shim.c").write_text(_SHIM)
        include = [f"-I{_BACKEND / name}" for name in ("interpreter", "kernels")]
        sources = [work / "shim.c", *sorted((_BACKEND / "interpreter").glob("*.c"))]
        compile_library(sources, [*_FLAGS, *include], work / "library.so")
    own = work / f"library{len([*work.iterdir()])}.so"
    shutil.copy(work / "library.so", own)
    return ctypes.CDLL(str(own))


def _aligned(data: bytes) -> np.ndarray:
    """Return a copy that begins at a multiple of 64 bytes."""
    room = np.zeros(len(data) + 64, np.uint8)
    start = -room.ctypes.data % 64
    room[start : start + len(data)] = np.frombuffer(data, np.uint8)
    return room[start : start + len(data)]
