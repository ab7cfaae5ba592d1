"""Bytes that a network needs, of what can be measured here: files, arenas, object code. Not an interpreter's own code in flash.

The wheels are shared libraries for this machine with every operator inside; their sizes say nothing about firmware.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from microstage.benchmarks import tables
from microstage.benchmarks.compiling import compiler
from microstage.benchmarks.generated import Generated, sources_of
from microstage.benchmarks.names import MLPERF_TINY
from microstage.benchmarks.network import Network
from microstage.benchmarks.onnx_twin import write_onnx
from microstage.benchmarks.resident import resident_growth
from microstage.benchmarks.runtimes import LARGEST_ARENA, TfLiteMicro
from microstage.benchmarks.tflite_twin import write_tflite
from microstage.errors import MicrostageError

__all__ = ["HEADER", "constants_alone", "row_of_c", "row_of_onnx", "smallest_arena", "table"]

HEADER = ("bytes", "flash", "working memory")
_ARENA_STEP = 256


def table(network: Network, against: Sequence[str], ours: Sequence[Sequence[str]], scratch: Path) -> str:
    """A row per runtime: what its flash holds of this network, and the working memory that is known; `ours` as `row_of_c` gives it."""
    rows = [["weights and biases alone", f"{constants_alone(network):,}", ""], *ours]
    if "tflm" in against and network.name in MLPERF_TINY:
        rows.append(["tflm: .tflite + an interpreter", f"{len(write_tflite(network)):,} + not measured", f"{smallest_arena(network):,}"])
    if "onnxruntime" in against:
        model = scratch / f"{network.name}.onnx"
        model.write_bytes(write_onnx(network, "uint8").SerializeToString())
        rows.append(row_of_onnx(model))
    return tables.table(HEADER, rows)


def row_of_c(folder: Path, generated: Generated, scratch: Path) -> list[str]:
    """Object code and arena of the C in `folder`."""
    code, constants = _sections(folder, scratch)
    return ["generated C, -Os: constants + code", f"{constants:,} + {code:,}", f"{generated.arena_bytes:,}"]


def row_of_onnx(model: Path) -> list[str]:
    """File size, and how much a process grows by a session on it."""
    return ["onnxruntime: .onnx + a runtime", f"{model.stat().st_size:,} + not measured", f"{resident_growth(model):,} (growth of a process)"]


def smallest_arena(network: Network) -> int:
    """The least arena in which TFLite Micro runs here, to 256 bytes; its pointers are 64 bits wide on this machine."""
    low, high = 0, LARGEST_ARENA
    while high - low > _ARENA_STEP:
        middle = (low + high) // 2 // _ARENA_STEP * _ARENA_STEP
        low, high = (low, middle) if _runs_in(network, middle) else (middle, high)
    return high


def _runs_in(network: Network, arena: int) -> bool:
    try:
        with _silence():
            TfLiteMicro(network, arena).call()
    except RuntimeError:
        return False
    return True


@contextmanager
def _silence() -> Iterator[None]:
    """Without standard error: TFLite Micro writes to it what does not fit, which is what is being asked."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def constants_alone(network: Network) -> int:
    """int8 weights and int32 biases."""
    return sum(layer.weights.size + 4 * layer.bias.size for layer in network.layers if hasattr(layer, "weights"))


def _sections(folder: Path, scratch: Path) -> tuple[int, int]:
    """(code, constants) of the generated files as compiled for size, in bytes."""
    objects = []
    for source in sources_of(folder):
        objects.append(scratch / f"{folder.name}_{source.stem}.o")
        command = [*compiler(), "-std=c99", "-Os", f"-I{folder}", "-c", str(source), "-o", str(objects[-1])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise MicrostageError(f"{command[0]} refused {source.name}: {done.stderr.strip()[:2000]}")
    listed = subprocess.run(["size", "-A", *map(str, objects)], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines() if line.startswith(".")]
    code = sum(int(row[1]) for row in rows if row[0].startswith(".text"))
    return code, sum(int(row[1]) for row in rows if row[0].startswith((".rodata", ".data")))
