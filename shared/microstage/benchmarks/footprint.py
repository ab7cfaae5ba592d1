"""`make footprint`: flash, memory, stack and instructions of the generated C in the firmware of other machines, beside TFLite Micro and ONNX.

TFLite Micro's package holds no firmware, so its interpreter's code is not counted; nor is onnxruntime's.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from microstage.benchmarks import memory
from microstage.benchmarks.firmware import measure
from microstage.benchmarks.machines import MACHINES
from microstage.benchmarks.names import HARMONIC, MLPERF_TINY, WIDTHS
from microstage.benchmarks.onnx_twin import write_onnx
from microstage.benchmarks.tables import table
from microstage.benchmarks.tflite_twin import write_tflite
from microstage.benchmarks.twins import network_named
from microstage.errors import MicrostageError

_MEASURED = ("cortex-m4", "riscv32")
_LEVELS = ("-Os", "-O2")
_HEADER = ("network", "machine", "flags", "code", "constants", "flash", "arena", "in + out", "stack", "RAM", "instructions")

def _rows(name: str, folder: Path) -> list[list[str]]:
    """A row per machine and level."""
    found = []
    for machine in (m for m in MACHINES if m.name in _MEASURED):
        for level in _LEVELS:
            f = measure(folder, machine, level)
            split = [f"{f.code:,}", f"{f.constants:,}"] if f.constants else ["", ""]
            numbers = (f.flash, f.arena, f.static - f.arena, f.stack, f.static + f.stack, f.instructions)
            found.append([name, machine.name, level, *split, *(f"{n:,}" for n in numbers)])
    return found


def _rivals(name: str, flash: str, ram: str) -> list[str]:
    """Ours, .tflite with its arena, .onnx."""
    network = network_named(name)
    known = name in MLPERF_TINY
    tflite = [f"{len(write_tflite(network)):,} + interpreter", f"{memory.smallest_arena(network):,} + stack"] if known else ["", ""]
    return [name, flash, ram, *tflite, f"{len(write_onnx(network, 'uint8').SerializeToString()):,} + runtime"]


def _widths(folders: Path) -> str:
    """Flash of one network by the width of its weights, on Cortex-M4."""
    machine = next(m for m in MACHINES if m.name == _MEASURED[0])
    found = {bits: measure(folders / name, machine, "-Os") for bits, name in WIDTHS.items()}
    aims, bare = {4: "0.5", 1: "0.125"}, memory.constants_alone(network_named(WIDTHS[8]))
    rows = []
    for bits, f in found.items():
        ratios = (f"{f.flash / of:.3f}" for of in (found[8].flash, bare))
        rows.append([bits, f"{f.constants:,}", f"{f.flash:,}", *ratios, aims.get(bits, "")])
    return table(("bits per weight", "constants", "flash", "of the 8-bit form", f"of int8 weights and int32 biases alone ({bare:,})", "aim"), rows)


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m microstage.benchmarks.footprint")
    parser.add_argument("--ours", type=Path, required=True)
    parser.add_argument("--widths", action="store_true")
    parser.add_argument("networks", nargs="+")
    given = parser.parse_args(words)
    rows = [row for name in given.networks for row in _rows(name, given.ours / name)]
    print(table(_HEADER, rows), flush=True)
    drawn = {row[0]: row for row in reversed(rows) if row[0] != HARMONIC and row[1] == _MEASURED[0]}
    others = [_rivals(name, row[5], row[9]) for name, row in reversed(drawn.items())]
    if others:
        print("\n" + table(("network", "C, cortex-m4 -Os: flash", "RAM", "tflm: flash", "RAM", ".onnx"), others), flush=True)
    if given.widths:
        print("\n490 -> 3 x 256 -> 12 on cortex-m4, -Os, activations of 8 bits\n" + _widths(given.ours), flush=True)
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except MicrostageError as error:
        print(f"microstage: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
