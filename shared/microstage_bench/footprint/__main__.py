"""`make footprint`: flash, memory, stack and instructions of the generated C in the firmware of other machines, beside
TFLite Micro and ONNX.

TFLite Micro's package holds no firmware, so its interpreter's code is not counted; nor is onnxruntime's.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from microstage.errors import EnvironmentProblem
from microstage.process.ending import ended
from microstage_bench import memory
from microstage_bench.emulators import MACHINES, Machine
from microstage_bench.footprint import cortex_m4
from microstage_bench.footprint.firmware import Build, Firmware, Footprint, firmware_of
from microstage_bench.names import MEASURED, WIDTHS
from microstage_bench.subject import Subject, read_subjects
from microstage_bench.tables import table, without_empty
from microstage_bench.write_models import network_named

_COMPILERS = ("gcc", "clang")
_LEVELS = ("-Os", "-O2")
_CYCLES = "cycles: modelled, zero wait states"
_HEADER = ("machine", "flash", "of it constants", "RAM with stack", "of it arena", "stack", "instructions", _CYCLES)
_BESIDE = ("network", "C, {}: flash", "RAM", "tflm: .tflite + interpreter", "RAM", ".onnx + runtime")
_AIMS = {4: "0.5", 1: "0.125"}

Measured = dict[Build, Footprint]


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m microstage_bench.footprint")
    parser.add_argument("subjects", type=Path)
    parser.add_argument("--machines", type=lambda text: text.split(","), default=list(MEASURED))
    options = parser.parse_args(words)
    machines = [machine for name in options.machines for machine in MACHINES if machine.name == name]
    subjects = read_subjects(options.subjects, Path())
    found = {subject.name: _print_measured(subject.name, subject.c, machines) for subject in subjects}
    for subject in subjects:
        if any(subject.c.glob("*_features.h")):
            _print_measured(f"{subject.name}, from sound", subject.c, machines, "infer_sound")
    _print_beside(subjects, found)
    return 0


def _print_measured(name: str, folder: Path, machines: Sequence[Machine], function: str = "infer") -> Measured:
    """Measure one function of one network on every machine that is here, and print the table; return it."""
    print(f"\n{name}", flush=True)
    builds = [Build(machine, c, level) for c in _COMPILERS for level in _LEVELS for machine in machines]
    measured: Measured = {}
    with firmware_of(folder, function) as firmware:
        for build in builds:
            if not build.missing:
                measured[build] = _with_cycles(firmware, build, firmware.measure(build))
                print(f"{build}: {measured[build].instructions:,} instructions", flush=True)
    print("\n" + table((name, *_HEADER), _rows(builds, measured)), flush=True)
    return measured


def _with_cycles(firmware: Firmware, build: Build, found: Footprint) -> Footprint:
    """Return it with the cycles that are modelled, where the machine has a model."""
    if build.machine.name != cortex_m4.NAME:
        return found
    try:
        return replace(found, cycles=cortex_m4.modelled(firmware, build, found.instructions))
    except EnvironmentProblem as problem:
        print(f"{build}: {problem}", flush=True)
        return found


def _rows(builds: Sequence[Build], measured: Measured) -> Iterator[list[str]]:
    """Yield a row per build: what was measured, or what has to be installed."""
    for build in builds:
        what = [f"{build.compiler} {build.level}", build.machine.name]
        if build.missing:
            yield [*what, build.missing, *[""] * (len(_HEADER) - 2)]
            continue
        f = measured[build]
        numbers = (f.flash, f.constants, f.ram, f.arena, f.stack, f.instructions, f.cycles)
        yield [*what, *(f"{n:,}" if n else "" for n in numbers)]


def _print_beside(subjects: Sequence[Subject], found: dict[str, Measured]) -> None:
    """Print the files of other runtimes beside the C on the first machine; and one network by its bits a weight."""
    first = next((build for measured in found.values() for build in measured), None)
    if first is None:
        return
    small = {name: measured[first] for name, measured in found.items()}
    header = [text.format(first) for text in _BESIDE]
    print("\n" + without_empty(header, [_beside(subject, small[subject.name]) for subject in subjects]), flush=True)
    if {*WIDTHS.values()} <= small.keys():
        print(f"\n490 -> 3 x 256 -> 12 on {first}, activations of 8 bits\n" + _widths(small), flush=True)


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
        f"{f.ram:,}",
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


if __name__ == "__main__":
    raise SystemExit(ended("microstage", lambda: main(sys.argv[1:])))
