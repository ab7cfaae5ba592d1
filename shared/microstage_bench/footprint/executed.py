"""Which blocks of code one inference executes on an emulated machine, and how often: told by a plugin of qemu."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from microstage.errors import EnvironmentProblem, MicrostageError
from microstage_bench.compiling import compiler
from microstage_bench.footprint.firmware import Build, Firmware, told

__all__ = ["Block", "Executed", "executed"]


@dataclass(frozen=True)
class Block:
    """`instructions` one behind the other from `address` on, executed `runs` times; `left` times what was executed
    next stood elsewhere.
    """

    address: int
    instructions: int
    runs: int
    left: int


@dataclass(frozen=True)
class Executed:
    """The blocks of one inference, and the cycles that a Cortex-M4 takes for unaligned words and half words."""

    blocks: Sequence[Block]
    penalty: int

    @property
    def instructions(self) -> int:
        return sum(block.instructions * block.runs for block in self.blocks)


def executed(firmware: Firmware, build: Build) -> Executed:
    """Run the program of a build once more, and return what its first inference executed; `EnvironmentProblem` where
    the emulator takes no plugin.
    """
    plugin, out = firmware.scratch / "executed.so", firmware.scratch / "executed.txt"
    if not plugin.exists():
        told([*compiler(), "-O2", "-shared", "-fPIC", "-o", str(plugin), str(Path(__file__).with_name("executed.c"))])
    symbols = _symbols(build, firmware.program(build))
    (first, _), (low, size) = symbols["infer"], symbols["main"]
    words = f"{plugin},first={first:#x},low={low:#x},high={low + size:#x},out={out}"
    try:
        firmware.run(build, "-plugin", words)
    except MicrostageError as error:  # the program itself ran before
        raise EnvironmentProblem(f"the emulator takes no plugin, so there are no cycles: {error}") from None
    return _read(out.read_text())


def _symbols(build: Build, program: Path) -> dict[str, tuple[int, int]]:
    """Return {name: (address, size)} of the functions of a program."""
    rows = (line.split() for line in told([build.machine.tool("nm"), "-S", str(program)]).splitlines())
    return {row[3]: (int(row[0], 16) & ~1, int(row[1], 16)) for row in rows if len(row) == 4}


def _read(text: str) -> Executed:
    *rows, (_, penalty) = (line.split() for line in text.splitlines())
    blocks = [Block(int(address, 16), int(count), int(runs), int(left)) for address, count, runs, left in rows]
    return Executed(blocks, int(penalty))
