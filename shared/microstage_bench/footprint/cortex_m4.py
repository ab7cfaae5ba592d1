"""Cycles of a Cortex-M4 at zero wait states, modelled from the instructions that were executed.

After Arm's Technical Reference Manual (100166, 3.3.1 and 3.3.3), which gives cycles by instruction, and these rules:

- a load takes two cycles, a store one, or two where its offset is a register;
- a load or store behind a single load takes one less, unless its address is what that loaded; nothing else overlaps;
- an address that the instruction before has computed costs one more;
- LDRD and STRD take three, N registers 1 + N, words that are not aligned one or two more;
- a taken branch refills the pipeline, for which the manual gives one to three cycles: two are taken here;
- a division takes 2 to 12: twelve are taken here. An IT is counted, though it may be folded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from microstage.errors import MicrostageError
from microstage_bench.footprint.executed import Executed, executed
from microstage_bench.footprint.firmware import Build, Firmware, told

__all__ = ["NAME", "Instruction", "cycles_of", "instructions_of", "modelled", "straight"]

NAME = "cortex-m4"
_REFILL = 2
_DIVISION = 12
_OFF = 0.001
"How far the executed instructions may be from those that the emulator's clock counted."
_CLOCK = 100
"What the clock itself may be off, in instructions: it ticks once in forty."

_LINE = re.compile(r"\s*([0-9a-f]+):\s+(\S+)\s*([^;@]*)")
_CONDITION = "(?:eq|ne|cs|cc|hs|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)?"
_SINGLE = re.compile(rf"(ldr|str)(?:b|h|sb|sh)?t?{_CONDITION}$")
_PAIR = re.compile(rf"(?:ldr|str)d{_CONDITION}$")
_MANY = re.compile(rf"(?:v?(?:ldm|stm)(?:ia|db|fd|ea)?|v?push|v?pop){_CONDITION}$")
_TABLE_BRANCH = re.compile("tb[bh]$")
_DIVIDE = re.compile(rf"[su]div{_CONDITION}$")
_FLOAT_SINGLE = re.compile(rf"v(?:ldr|str){_CONDITION}$")
_FLOAT_SLOW = re.compile(rf"v(?:div|sqrt){_CONDITION}$")
_FLOAT_ACCUMULATE = re.compile(rf"v(?:mla|mls|nmla|nmls|fma|fms|fnma|fnms){_CONDITION}$")
_COMPARES = re.compile(rf"(?:cmp|cmn|tst|teq|b|bl|bx|blx|cbn?z|it[te]*|nop|vcmpe?){_CONDITION}$")
_REGISTER = re.compile(r"\b(?:r\d+|sl|fp|ip|sp|lr|pc|sb)\b")
_NUMBERS = {"sb": 9, "sl": 10, "fp": 11, "ip": 12, "sp": 13, "lr": 14, "pc": 15}


@dataclass(frozen=True)
class Instruction:
    """As objdump prints it: `ldr.w` without its width, and the operands."""

    operation: str
    operands: str

    @property
    def single(self) -> str:
        """ "ldr" or "str" of one register; else empty."""
        found = _SINGLE.match(self.operation)
        return found[1] if found else ""

    @property
    def accesses(self) -> bool:
        return any(kind.match(self.operation) for kind in (_SINGLE, _PAIR, _MANY, _FLOAT_SINGLE))

    @cached_property
    def address(self) -> set[str]:
        """The registers that its address is made of."""
        if re.match("v?(push|pop)", self.operation):
            return {"sp"}
        inside = self.operands.partition("[")[2].partition("]")[0]
        base = self.operands.partition(",")[0] if _MANY.match(self.operation) else inside
        return {*_REGISTER.findall(base)} if self.accesses else set()

    @property
    def computes(self) -> set[str]:
        """The registers that it writes as one that processes data."""
        if self.accesses or _COMPARES.match(self.operation):
            return set()
        places = 2 if re.match("[su](mull|mlal)|umaal", self.operation) else 1
        return {*_REGISTER.findall(",".join(self.operands.split(",")[:places]))}

    @property
    def loads(self) -> set[str]:
        """The register that it loads, where it is a single load."""
        return {*_REGISTER.findall(self.operands.partition(",")[0])} if self.single == "ldr" else set()


def instructions_of(disassembly: str) -> dict[int, Instruction]:
    """Return {address: instruction} of what objdump printed."""
    found = (_LINE.match(line) for line in disassembly.splitlines())
    return {
        int(line[1], 16): Instruction(re.sub(r"\.(w|n|f32|f64|32|64)$", "", line[2]), line[3].strip())
        for line in found
        if line
    }


def straight(instructions: Iterable[Instruction]) -> int:
    """Return the cycles of instructions that are executed one behind the other, without the refill of a branch."""
    total, before = 0, Instruction("nop", "")
    for instruction in instructions:
        total += cycles_of(instruction, before)
        before = instruction
    return total


def cycles_of(instruction: Instruction, before: Instruction) -> int:
    """Return the cycles of an instruction behind another."""
    operation, operands = instruction.operation, instruction.operands
    stall = int(bool(instruction.address & before.computes))
    if instruction.single:
        by_register = "[" in operands and len(instruction.address) > 1
        alone = 2 if instruction.single == "ldr" or by_register else 1
        overlaps = before.single == "ldr" and not before.loads & instruction.address
        return max(alone - overlaps, 1) + stall
    if _PAIR.match(operation):
        return 3 + stall
    if _MANY.match(operation):
        return 1 + _registers(operands) + stall
    if _FLOAT_SINGLE.match(operation):
        return (3 if operands.startswith("d") else 2) + stall
    return _computing(operation, operands)


def _computing(operation: str, operands: str) -> int:
    """Return the cycles of an instruction that accesses no memory."""
    if _DIVIDE.match(operation):
        return _DIVISION
    if _FLOAT_SLOW.match(operation):
        return 14
    if _FLOAT_ACCUMULATE.match(operation):
        return 3
    two_words = operation.startswith("vmov") and operands.count(",") > 1
    return 2 if two_words or _TABLE_BRANCH.match(operation) else 1


def _registers(operands: str) -> int:
    """Return how many words a list of registers has."""
    listed = operands.partition("{")[2].partition("}")[0] or operands
    count = 0
    for part in listed.split(","):
        ends = [_number(name.strip()) for name in part.split("-")]
        count += (ends[-1] - ends[0] + 1) * (2 if part.strip().startswith("d") else 1)
    return count


def _number(register: str) -> int:
    return _NUMBERS.get(register) or int(register.lstrip("rsd"))


def modelled(firmware: Firmware, build: Build, counted: int) -> int:
    """Return the cycles of one inference; `MicrostageError` where the model saw another number of instructions than
    the emulator's clock `counted`.
    """
    found = executed(firmware, build)
    if abs(found.instructions - counted) > _OFF * counted + _CLOCK:
        raise MicrostageError(
            f"{build} executed {found.instructions:,} instructions, and its clock counted {counted:,}: no cycles."
        )
    text = told([build.machine.tool("objdump"), "-d", "--no-show-raw-insn", str(firmware.program(build))])
    return total_of(found, instructions_of(text))


def total_of(found: Executed, code: Mapping[int, Instruction]) -> int:
    """Return the cycles of what was executed of `code`."""
    addresses = sorted(code)
    places = {address: place for place, address in enumerate(addresses)}
    total = found.penalty
    for block in found.blocks:
        place = places[block.address]
        lines: Sequence[Instruction] = [code[a] for a in addresses[place : place + block.instructions]]
        total += block.runs * straight(lines) + block.left * _REFILL
    return total
