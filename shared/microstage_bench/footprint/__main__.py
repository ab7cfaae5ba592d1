"""`make footprint`: flash, memory, stack and instructions of the generated C in the firmware of other machines, also
by layer; beside CMSIS-NN, TFLite Micro and ONNX.

TFLite Micro's package holds no firmware, so its interpreter's code is not counted; nor is onnxruntime's.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from microstage.errors import EnvironmentProblem, ModelError, VerificationError
from microstage.process.ending import ended
from microstage_bench.cmsis_nn.firmware import CmsisNn, form_of, on_cmsis_nn
from microstage_bench.emulators import MACHINES, VECTOR_MACHINES, Machine
from microstage_bench.footprint import cortex_m4, tables
from microstage_bench.footprint.by_layer import by_layer, marked
from microstage_bench.footprint.firmware import Build, Firmware, Footprint, firmware_of
from microstage_bench.footprint.stack import stack_bounds, stack_table
from microstage_bench.footprint.tables import Measured
from microstage_bench.names import MEASURED, WIDTHS
from microstage_bench.subject import Subject, read_subjects

_LEVELS = ("-Os", "-O2")
_BY_LAYER = "-O2"
"Layers are counted one by one in the builds of this level by each machine's first compiler."


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m microstage_bench.footprint")
    parser.add_argument("subjects", type=Path)
    parser.add_argument("--machines", type=lambda text: text.split(","), default=list(MEASURED))
    parser.add_argument("--against", type=Path)
    options = parser.parse_args(words)
    known = {machine.name: machine for machine in (*MACHINES, *VECTOR_MACHINES)}
    machines = [known[name] for name in options.machines if name in known]
    with TemporaryDirectory() as scratch:
        subjects = read_subjects(options.subjects, Path(scratch))
        library = CmsisNn(options.against.resolve(), Path(scratch)) if options.against else None
        found = {subject.name: _Network(subject, machines).printed(library) for subject in subjects}
    _print_beside(subjects, found)
    return 0


@dataclass(frozen=True)
class _Network:
    """One network on some machines, whose tables are printed as soon as they are there."""

    subject: Subject
    machines: Sequence[Machine]

    @property
    def builds(self) -> list[Build]:
        compilers = dict.fromkeys(c for machine in self.machines for c in machine.compilers)
        each = [(c, level) for c in compilers for level in _LEVELS]
        return [Build(m, c, level) for c, level in each for m in self.machines if c in m.compilers]

    def printed(self, library: CmsisNn | None) -> Measured:
        """Print its tables; return what was measured of its C."""
        measured = self._printed("infer")
        if any(self.subject.c.glob("*_features.h")):
            self._printed("infer_sound", ", from sound")
        if library:
            self._print_against(library, measured)
        return measured

    def _printed(self, function: str, more: str = "") -> Measured:
        """Print the tables of one function: what it takes on every machine that is here, and by layer."""
        name = f"{self.subject.name}{more}"
        print(f"\n{name}", flush=True)
        with firmware_of(self.subject.c, function) as firmware:
            measured = {build: _measured(firmware, build) for build in self.builds if not build.missing}
            print("\n" + tables.measured_table(name, self.builds, measured), flush=True)
            counted = [b for b in measured if (b.compiler, b.level) == (b.machine.compilers[0], _BY_LAYER)]
            with marked(firmware) as (with_marks, layers):
                spent = {build: by_layer(with_marks, build) for build in counted}
            of_gcc = [build for build in counted if build.compiler == "gcc"]  # which alone says what calls what
            stacks = {build: stack_bounds(self.subject.c, build, firmware.scratch) for build in of_gcc}
        if stacks:
            print("\n" + stack_table(name, stacks), flush=True)
        if spent:
            print("\n" + tables.layers_of(name, layers, spent), flush=True)
        return measured

    def _print_against(self, library: CmsisNn, ours: Measured) -> None:
        """Measure the same layers on CMSIS-NN, and print them beside `ours`."""
        print(f"\n{self.subject.name} on CMSIS-NN", flush=True)
        theirs: dict[Build, Footprint] = {}
        try:
            for machine in self.machines:
                with on_cmsis_nn(self.subject, library, form_of(machine)) as firmware:
                    theirs |= {build: _measured(firmware, build) for build in ours if build.machine is machine}
        except (ModelError, VerificationError) as problem:
            print(f"no figures: {problem}", flush=True)
            return
        print("its answers are TFLite Micro's, to the bit", flush=True)
        print("\n" + tables.against(self.subject.name, ours, {b: theirs[b] for b in ours}), flush=True)


def _measured(firmware: Firmware, build: Build) -> Footprint:
    """Measure one build, say so, and model its cycles where the machine has a model."""
    found = firmware.measure(build)
    print(f"{build}: {found.instructions:,} instructions", flush=True)
    if build.machine.name != cortex_m4.NAME:
        return found
    try:
        return replace(found, cycles=cortex_m4.modelled(firmware, build, found.instructions))
    except EnvironmentProblem as problem:
        print(f"{build}: {problem}", flush=True)
        return found


def _print_beside(subjects: Sequence[Subject], found: dict[str, Measured]) -> None:
    """Print the files of other runtimes beside the C in the first build; and one network by its bits a weight."""
    first = next((build for measured in found.values() for build in measured), None)
    if first is None:
        return
    small = {name: measured[first] for name, measured in found.items()}
    print("\n" + tables.beside(subjects, first, small), flush=True)
    if {*WIDTHS.values()} <= small.keys():
        print(f"\n490 -> 3 x 256 -> 12 in {first}, activations of 8 bits\n" + tables.widths(small), flush=True)


if __name__ == "__main__":
    raise SystemExit(ended("microstage", lambda: main(sys.argv[1:])))
