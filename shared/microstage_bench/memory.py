"""Bytes that a network needs, of what can be measured here: files, arenas, object code. Not an interpreter's own code
in flash.

The wheels are shared libraries for this machine with every operator inside; their sizes say nothing about firmware.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from microstage.errors import MicrostageError
from microstage_bench.compiling import compiler
from microstage_bench.generated import sources_of
from microstage_bench.network import DenseLayer, DrawnNetwork
from microstage_bench.resident_memory import resident_growth
from microstage_bench.runtimes import LARGEST_ARENA, TfLiteMicro

__all__ = ["HEADER", "constants_alone", "row_of_c", "row_of_onnx", "row_of_tflite", "sections", "smallest_arena"]

HEADER = ("bytes", "flash", "working memory")
_ARENA_STEP = 256


def row_of_c(code: int, constants: int, arena: int) -> list[str]:
    """Return a row: object code, constants and arena of generated C."""
    return ["generated C, -Os: constants + code", f"{constants:,} + {code:,}", f"{arena:,}"]


def row_of_tflite(file: Path) -> list[str]:
    """Return a row: file size and the least arena of TFLite Micro."""
    return [
        "tflm: .tflite + an interpreter",
        f"{file.stat().st_size:,} + not measured",
        f"{smallest_arena(file.read_bytes()):,}",
    ]


def row_of_onnx(model: Path) -> list[str]:
    """Return a row: file size, and how much a process grows by a session on it."""
    return [
        "onnxruntime: .onnx + a runtime",
        f"{model.stat().st_size:,} + not measured",
        f"{resident_growth(model):,} (growth of a process)",
    ]


def smallest_arena(file: bytes) -> int:
    """Return the least arena in which TFLite Micro runs here, to 256 bytes; its pointers are 64 bits wide on this
    machine.
    """
    low, high = 0, LARGEST_ARENA
    while high - low > _ARENA_STEP:
        middle = (low + high) // 2 // _ARENA_STEP * _ARENA_STEP
        low, high = (low, middle) if _runs_in(file, middle) else (middle, high)
    return high


def _runs_in(file: bytes, arena: int) -> bool:
    """Tell whether it runs in `arena` bytes, asked in a child that may crash, as it does in very small arenas, and
    whose complaints nobody reads.
    """
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            TfLiteMicro(file, arena).call()
        except RuntimeError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def constants_alone(network: DrawnNetwork) -> int:
    """Return the bytes of int8 weights and int32 biases."""
    return sum(layer.weights.size + 4 * layer.bias.size for layer in network.layers if isinstance(layer, DenseLayer))


def sections(folder: Path, scratch: Path) -> tuple[int, int]:
    """Return (code, constants) of the generated files as compiled for size, in bytes."""
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
