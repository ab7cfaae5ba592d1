"""The generated C in the firmware of an emulated machine: flash, memory, stack, instructions; and whether it is right.

Flash is what a firmware grows by: the same program linked with the network and without. An emulator counts
instructions, not cycles.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from microstage.errors import EnvironmentProblem, MicrostageError, VerificationError
from microstage_bench.emulators import BOARDS, Machine
from microstage_bench.footprint.vectors import COUNT, measured_vectors
from microstage_bench.generated import caller, declaration, places_of, sources_of

__all__ = ["Build", "Firmware", "Footprint", "Library", "compiled", "firmware_of", "told"]


@dataclass(frozen=True)
class Build:
    """How the network is compiled for a machine: `compiler` is gcc, clang or clang-16; gcc's family links."""

    machine: Machine
    compiler: str
    level: str

    def __str__(self) -> str:
        return f"{self.machine.name}, {self.compiler} {self.level}"

    @property
    def missing(self) -> str:
        """What to install, in a sentence; empty where all is here."""
        if self.compiler != "gcc" and not self.machine.missing and not shutil.which(self.compiler):
            return f"{self.compiler} not installed: apt-get install {self.compiler}"
        return self.machine.missing

    @property
    def command(self) -> tuple[str, ...]:
        """Return the compiler with its flags."""
        flags = ("-std=gnu99", "-ffunction-sections", "-fdata-sections", self.level, *self.machine.flags)
        if self.compiler == "gcc":
            return (self.machine.compiler, *self.machine.library, *flags)
        return (self.compiler, *self.machine.clang, *flags, "-isystem", _headers(self.machine))


@cache
def _headers(machine: Machine) -> str:
    """Return the folder of the machine's C library's headers, which clang does not know."""
    command = [machine.compiler, *machine.flags, *machine.library, "-M", "-xc", "-"]
    listed = subprocess.run(command, input="#include <string.h>", capture_output=True, text=True, check=True).stdout
    return str(Path(next(word for word in listed.split() if word.endswith("/string.h"))).parent)


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
    cycles: int = 0
    "0 for a machine without a model of its own."

    @property
    def flash(self) -> int:
        return self.code + self.constants

    @property
    def ram(self) -> int:
        return self.static + self.stack


class Library(Protocol):
    """What a network is linked with."""

    @property
    def includes(self) -> Path: ...

    def objects(self, build: Build) -> Sequence[Path]:
        """Compile it for a machine; return the objects."""
        ...


@dataclass(frozen=True)
class Firmware:
    """<model>_<function> of the C in `folder`, to be measured on any machine: `vectors` go in and have to come out;
    `scratch` is a folder of its own.
    """

    folder: Path
    function: str
    scratch: Path
    vectors: bytes
    library: Library | None = None
    marks: int = 0
    "How many layers of the C say that they begin."

    def measure(self, build: Build) -> Footprint:
        """Measure one call; `EnvironmentProblem` where a compiler or the emulator is missing, `VerificationError` where
        it gives another answer than on this machine.
        """
        if build.missing:
            raise EnvironmentProblem(f"{build.machine.name}: {build.missing}.")
        sizes, bare = self.link(build), _empty(build)
        grown = {section: size - bare.get(section, 0) for section, size in sizes.items()}
        words = self.run(build)
        initialised, zeroed = (
            sum(size for name, size in grown.items() if name.startswith(kind)) for kind in (".data", ".bss")
        )
        constants = sum(size for name, size in grown.items() if name.startswith(".rodata")) + initialised
        arena, stack, instructions = (int(words[name]) for name in ("arena", "stack", "instructions"))
        return Footprint(grown[".text"], constants, initialised + zeroed, arena, stack, instructions)

    def program(self, build: Build) -> Path:
        """Return where `link` puts the program."""
        return self.scratch / f"{self.folder.name}-{build.machine.name}-{build.compiler}{build.level}"

    def link(self, build: Build) -> dict[str, int]:
        """Link the network with what measures it; return the sizes of the program's sections."""
        self._write_calls()
        flags = [f"-I{folder}" for folder in (self.folder, self.scratch)]
        objects: list[Path] = []
        if self.library:
            flags.append(f"-I{self.library.includes}")
            objects += self.library.objects(build)
        objects += compiled(build, sources_of(self.folder), flags, Path(f"{self.program(build)}.objects"))
        flags += [f"-DLAYERS={self.marks}"] if self.marks else []
        return _linked(build, objects, flags, self.program(build))

    def run(self, build: Build, *more: str) -> dict[str, str]:
        """Run the program, with `more` words for the emulator; return what it prints, {word: number}."""
        emulator = [*build.machine.emulator[:-1], *more, build.machine.emulator[-1], str(self.program(build))]
        done = subprocess.run(emulator, capture_output=True, text=True, cwd=self.scratch, check=False)
        said = done.stdout.split()
        where = f"{self.folder.name} on {build}"
        if done.returncode or said[:1] != ["instructions"]:
            raise MicrostageError(
                f"{where} ended with {done.returncode}: {done.stdout.strip() or done.stderr.strip()[-500:]}"
            )
        words = dict(zip(said[::2], said[1::2]))
        if words["wrong"] != "0":
            raise VerificationError(f"{where} gives another answer than here: {words['wrong']} bytes of {COUNT} calls.")
        return words

    def _write_calls(self) -> None:
        """Write vectors.bin and call.h to `scratch`."""
        declared = declaration(self.folder, self.function)
        (self.scratch / "vectors.bin").write_bytes(self.vectors)
        arguments = (*declared.inputs, *declared.outputs)
        numbers = [f"{{number_{n}, {a.size} * sizeof({a.kind})}}" for n, a in enumerate(arguments)]
        ends = (("TAKEN", numbers[: len(declared.inputs)]), ("GIVEN", numbers[len(declared.inputs) :]))
        tables = [f"#define {name} {', '.join(rows)}" for name, rows in ends]
        arena = f"enum {{ ARENA = sizeof({declared.model}_arena) }};"
        called = caller(declared, places_of(self.folder, declared))
        (self.scratch / "call.h").write_text("\n".join([called, *tables, arena, ""]))


@contextmanager
def firmware_of(folder: Path, function: str = "infer") -> Iterator[Firmware]:
    """Yield the firmware of <model>_<function> of the C in `folder`."""
    with TemporaryDirectory(prefix="microstage-firmware.") as scratch:
        vectors = measured_vectors(folder, function, Path(scratch))
        yield Firmware(folder.resolve(), function, Path(scratch), vectors)


@cache
def _empty(build: Build) -> dict[str, int]:
    """Return the sizes of the sections of a firmware without a network."""
    with TemporaryDirectory() as scratch:
        return _linked(build, [], ("-DEMPTY",), Path(scratch) / "empty")


def compiled(build: Build, sources: Sequence[Path], flags: Sequence[str], folder: Path) -> list[Path]:
    """Compile `sources` by the build's compiler into `folder`; return the objects."""
    folder.mkdir(exist_ok=True)
    told([*build.command, *flags, "-c", *map(str, sources)], folder)
    return [folder / f"{source.stem}.o" for source in sources]


def _linked(build: Build, objects: Sequence[Path], flags: Sequence[str], program: Path) -> dict[str, int]:
    """Link objects with measure.c, by gcc; return the sections' sizes."""
    machine, gcc = build.machine, Build(build.machine, "gcc", build.level)
    measuring = (f"-DCLOCK={machine.clock}", f"-DVECTORS={COUNT}", str(BOARDS / "measure.c"), "-Wl,--gc-sections")
    ends = [flag for flag in machine.link if flag not in machine.library]
    told([*gcc.command, *flags, "-o", str(program), *measuring, *map(str, objects), *ends])
    rows = (line.split() for line in told([machine.tool("size"), "-A", str(program)]).splitlines())
    return {row[0]: int(row[1]) for row in rows if row and row[0].startswith(".")}


def told(command: list[str], folder: Path | None = None) -> str:
    """Run a tool of a compiler's family in `folder`; return what it prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        raise MicrostageError(f"{command[0]} refused the firmware: {done.stderr.strip()[:2000]}")
    return done.stdout
