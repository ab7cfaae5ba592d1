"""The generated C in the firmware of an emulated machine: flash, memory, stack, instructions.

Flash is what a firmware grows by: the same program linked with the network and without. An emulator counts
instructions, not cycles.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from microstage.errors import EnvironmentProblem, MicrostageError
from microstage_bench.emulators import BOARDS, Machine
from microstage_bench.generated import caller, declaration, sources_of

__all__ = ["Footprint", "measure"]


@dataclass(frozen=True)
class Footprint:
    """Bytes, and instructions of one inference; `static` is what RAM holds beside the stack, arena included."""

    code: int
    constants: int
    "0 where the machine's linker script puts them among the code."
    static: int
    arena: int
    stack: int
    instructions: int

    @property
    def flash(self) -> int:
        return self.code + self.constants


def measure(folder: Path, machine: Machine, level: str, function: str = "infer") -> Footprint:
    """Measure one call of <model>_<function> of the C in `folder`; `EnvironmentProblem` where the machine's compiler or
    emulator is missing.
    """
    if machine.missing:
        raise EnvironmentProblem(f"{machine.name}: {machine.missing}.")
    with TemporaryDirectory() as scratch:
        declared = declaration(folder, function)
        (Path(scratch) / "call.h").write_text(
            f"{caller(declared, filled=True)}enum {{ ARENA = sizeof({declared.model}_arena) }};\n"
        )
        whole, empty = (_link(folder, machine, (level, *more), Path(scratch)) for more in ((), ("-DEMPTY",)))
        grown = {section: whole[1].get(section, 0) - empty[1].get(section, 0) for section in whole[1]}
        done = subprocess.run(
            [*machine.emulator, str(whole[0])], capture_output=True, text=True, cwd=scratch, check=False
        )
    words = done.stdout.split()
    if done.returncode or words[:1] != ["instructions"]:
        raise MicrostageError(
            f"{folder.name} on {machine.name} ended with {done.returncode}: "
            f"{done.stdout.strip() or done.stderr.strip()[-500:]}"
        )
    initialised, zeroed = (
        sum(size for name, size in grown.items() if name.startswith(kind)) for kind in (".data", ".bss")
    )
    constants = sum(size for name, size in grown.items() if name.startswith(".rodata")) + initialised
    return Footprint(grown[".text"], constants, initialised + zeroed, int(words[5]), int(words[3]), int(words[1]))


def _link(folder: Path, machine: Machine, flags: tuple[str, ...], scratch: Path) -> tuple[Path, dict[str, int]]:
    """Link a firmware; return the sizes of its sections."""
    program = scratch / ("empty" if "-DEMPTY" in flags else "whole")
    sources = [BOARDS / "measure.c", *([] if "-DEMPTY" in flags else sources_of(folder))]
    small = ("-std=gnu99", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections")
    command = [
        machine.compiler,
        *small,
        *flags,
        *machine.flags,
        f"-I{folder}",
        f"-I{scratch}",
        "-o",
        str(program),
        *map(str, sources),
        *machine.link,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MicrostageError(f"{machine.compiler} refused {folder.name}: {done.stderr.strip()[:2000]}")
    listed = subprocess.run(
        [machine.tool("size"), "-A", str(program)], capture_output=True, text=True, check=True
    ).stdout
    return program, {
        row[0]: int(row[1]) for row in (line.split() for line in listed.splitlines()) if row and row[0].startswith(".")
    }
