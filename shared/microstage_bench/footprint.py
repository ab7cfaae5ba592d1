"""`make footprint`: flash, memory, stack and instructions of the generated C in the firmware of other machines, beside
TFLite Micro and ONNX.

TFLite Micro's package holds no firmware, so its interpreter's code is not counted; nor is onnxruntime's.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from microstage.process.ending import ended
from microstage_bench import memory
from microstage_bench.emulators import MACHINES
from microstage_bench.firmware import Footprint, measure
from microstage_bench.names import WIDTHS
from microstage_bench.subject import Subject, read_subjects
from microstage_bench.tables import table, without_empty
from microstage_bench.write_models import network_named

_MEASURED = ("cortex-m4", "riscv32")
_LEVELS = ("-Os", "-O2")
_HEADER = (
    "network",
    "machine",
    "flags",
    "code",
    "constants",
    "flash",
    "arena",
    "in + out",
    "stack",
    "RAM",
    "instructions",
)
_BESIDE = ("network", "C, cortex-m4 -Os: flash", "RAM", "tflm: .tflite + interpreter", "RAM", ".onnx + runtime")
_AIMS = {4: "0.5", 1: "0.125"}


def _measured(subject: Subject, function: str = "infer") -> dict[tuple[str, str], Footprint]:
    """Return {(machine, level): what it takes there}."""
    machines = [machine for machine in MACHINES if machine.name in _MEASURED]
    return {
        (machine.name, level): measure(subject.c, machine, level, function) for machine in machines for level in _LEVELS
    }


def _row(name: str, machine: str, level: str, f: Footprint) -> list[str]:
    split = [f"{f.code:,}", f"{f.constants:,}"] if f.constants else ["", ""]
    numbers = (f.flash, f.arena, f.static - f.arena, f.stack, f.static + f.stack, f.instructions)
    return [name, machine, level, *split, *(f"{n:,}" for n in numbers)]


def _beside(subject: Subject, f: Footprint) -> list[str]:
    """Return a row: ours, .tflite with its arena, .onnx."""
    tflite = (
        [f"{subject.tflite.stat().st_size:,}", f"{memory.smallest_arena(subject.tflite.read_bytes()):,} + stack"]
        if subject.tflite
        else ["", ""]
    )
    return [
        subject.name,
        f"{f.flash:,}",
        f"{f.static + f.stack:,}",
        *tflite,
        f"{subject.onnx.stat().st_size:,}" if subject.onnx else "",
    ]


def _widths(found: dict[str, Footprint]) -> str:
    """Return a table: the flash of one network by the width of its weights."""
    rows, bare = [], memory.constants_alone(network_named(WIDTHS[8]))
    for bits, name in WIDTHS.items():
        f = found[name]
        ratios = (f"{f.flash / of:.3f}" for of in (found[WIDTHS[8]].flash, bare))
        rows.append([bits, f"{f.constants:,}", f"{f.flash:,}", *ratios, _AIMS.get(bits, "")])
    return table(
        (
            "bits per weight",
            "constants",
            "flash",
            "of the 8-bit form",
            f"of int8 weights and int32 biases alone ({bare:,})",
            "aim",
        ),
        rows,
    )


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m microstage_bench.footprint")
    parser.add_argument("subjects", type=Path)
    subjects = read_subjects(parser.parse_args(words).subjects, Path())
    found = {subject.name: _measured(subject) for subject in subjects}
    hearing = [subject for subject in subjects if any(subject.c.glob("*_features.h"))]
    shown = found | {f"{subject.name}, from sound": _measured(subject, "infer_sound") for subject in hearing}
    print(
        table(_HEADER, [_row(name, *where, f) for name, measured in shown.items() for where, f in measured.items()]),
        flush=True,
    )
    small = {name: measured[_MEASURED[0], _LEVELS[0]] for name, measured in found.items()}
    print("\n" + without_empty(_BESIDE, [_beside(subject, small[subject.name]) for subject in subjects]), flush=True)
    if {*WIDTHS.values()} <= small.keys():
        print("\n490 -> 3 x 256 -> 12 on cortex-m4, -Os, activations of 8 bits\n" + _widths(small), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(ended("microstage", lambda: main(sys.argv[1:])))
