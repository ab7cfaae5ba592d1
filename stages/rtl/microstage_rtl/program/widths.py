"""How wide the machine has to be for a program: each width is proven, none is guessed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from microstage_rtl.program.program import HELD, KINDS, MachineProgram
from microstage_rtl.program.words import WORDS, Fields

__all__ = ["BLOCKS", "Widths", "bank_of", "blocks_of", "signed_bits"]

BLOCKS = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
"Words and bits that one block RAM of 18 kbit (ECP5, 7-series) can have."
_MOST_BANKS = 26
"Files of one memory are told apart by a letter."


def signed_bits(*ends: int) -> int:
    """Return the bits of two's complement that hold every one of `ends`."""
    return max(max(end, -end - 1).bit_length() + 1 for end in ends)


def blocks_of(depth: int, width: int) -> int:
    """Count the block RAMs of one bank of at most 16,384 words: as many side by side as its width takes."""
    return next(-(-width // bits) for words, bits in BLOCKS if depth <= words)


def bank_of(depth: int, width: int) -> int:
    """Return the words of a bank with which a memory takes the fewest block RAMs, and then has the fewest banks."""

    def cost(bank: int) -> int:
        full, rest = divmod(depth, bank)
        return full * blocks_of(bank, width) + (blocks_of(rest, width) if rest else 0)

    banks = [words for words, _ in BLOCKS if depth <= words * _MOST_BANKS] or [BLOCKS[-1][0]]
    return min(banks, key=lambda bank: (cost(bank), -(-depth // bank)))


@dataclass(frozen=True)
class Widths:
    """The parameters of `ms_machine` for `program`."""

    program: MachineProgram

    @cached_property
    def parameters(self) -> dict[str, int]:
        """Return every parameter by its name."""
        p, fields = self.program, Fields(self.program)
        weight_bits = self.weight_bits
        held = [-HELD, HELD] if any(layer.kind == "rescale" for layer in p.layers) else []
        bits = signed_bits(*p.reach)
        sums = max(signed_bits(*p.sums, *held), bits)
        multiplier = signed_bits(int(p.multipliers.min()), int(p.multipliers.max()))
        offset = signed_bits(int(p.offsets.min()), int(p.offsets.max()))
        level = max(bits, signed_bits(*(end for layer in p.layers for end in (layer.low, layer.high))))
        threshold = signed_bits(int(p.thresholds.min()), int(p.thresholds.max()))
        halvings = max(layer.halvings for layer in p.layers)
        shifts = fields.shifts
        value = max(signed_bits(*p.products), threshold, level, offset)
        rows = {
            "LANES": p.lanes,
            "BITS": bits,
            "OPERAND_BITS": min(bits, signed_bits(*p.operands)),
            "WEIGHT_BITS": weight_bits,
            "SUM_BITS": sums,
            "WORDS": p.words,
            "ADDRESS_BITS": _address_bits(p.words),
            "WEIGHT_ROWS": len(p.weights),
            "WEIGHT_ROW_BITS": _address_bits(len(p.weights)),
            "WEIGHT_BANK": bank_of(len(p.weights), p.lanes * weight_bits),
            "COUNT_BITS": max(self.loop_bits),
            "CHANNEL_BITS": max(1, *((layer.channels - 1).bit_length() for layer in p.layers)),
            "HELD": HELD,
            "ROWS": len(p.multipliers),
            "ROW_BITS": _address_bits(len(p.multipliers)),
            "ROW_BANK": bank_of(len(p.multipliers), multiplier + offset),
            "MULTIPLIER_BITS": multiplier,
            "OFFSET_BITS": offset,
            "VALUE_BITS": value,
            "SHIFTS": len(shifts),
            "THRESHOLDS": len(p.thresholds),
            "TABLE_BITS": max(_address_bits(len(p.thresholds)), _address_bits(len(p.values)), halvings + 1),
            "TABLE_BANK": bank_of(len(p.thresholds), threshold),
            "THRESHOLD_BITS": threshold,
            "HALVINGS": halvings,
            "LEVEL_BITS": level,
            "VALUES": len(p.values) if any(layer.looks_up for layer in p.layers) else 0,
            "VALUES_BANK": bank_of(len(p.values), bits),
            "EVEN": int(any(layer.even for layer in p.layers)),
            "LAYERS": len(p.layers),
            "IN_WIDTH": -(-signed_bits(*(end for port in p.inputs for end in (port.low, port.high))) // 8) * 8,
            "OUT_WIDTH": -(-signed_bits(*(end for port in p.outputs for end in (port.low, port.high))) // 8) * 8,
        }
        rows["WORD_BITS"] = max(
            11,
            *(rows[name] for name in ("ADDRESS_BITS", "WEIGHT_ROW_BITS", "COUNT_BITS", "CHANNEL_BITS", "ROW_BITS")),
            rows["TABLE_BITS"],
            level,
            bits,
        )
        rows["PROGRAM_BANK"] = bank_of(WORDS * len(p.layers), rows["WORD_BITS"])
        return rows

    @cached_property
    def weight_bits(self) -> int:
        """Return the bits of a weight: 1 where every weight is +1 or -1."""
        used = self.program.weights[self.program.weights != 0]
        if used.size and (np.abs(used) == 1).all() and _only_padding(self.program):
            return 1
        return max(2, signed_bits(int(self.program.weights.min()), int(self.program.weights.max())))

    @cached_property
    def loop_bits(self) -> list[int]:
        """Return the bits of each loop's counter, the innermost first."""
        counts = [max(layer.counts[i] for layer in self.program.layers) for i in range(6)][::-1]
        return [max(1, (count - 1).bit_length()) for count in counts]

    @property
    def kinds(self) -> int:
        """Return a bit for each kind of element that the program has."""
        return sum(1 << code for code in range(8) if any(layer.kind == KINDS[code] for layer in self.program.layers))

    @property
    def shifts(self) -> list[int]:
        """Return the shifts that there are."""
        return Fields(self.program).shifts

    def memory_bits(self) -> dict[str, int]:
        """Return the bits of each memory."""
        p = self.parameters
        return {
            "activations": p["WORDS"] * p["BITS"],
            "weights": p["WEIGHT_ROWS"] * p["LANES"] * p["WEIGHT_BITS"],
            "constants": p["ROWS"] * (p["MULTIPLIER_BITS"] + p["OFFSET_BITS"]),
            "thresholds": p["THRESHOLDS"] * p["THRESHOLD_BITS"] if p["HALVINGS"] else 0,
            "values": p["VALUES"] * p["BITS"],
            "program": p["LAYERS"] * WORDS * p["WORD_BITS"],
        }


def _only_padding(program: MachineProgram) -> bool:
    """Tell whether every weight of a filter that exists is +1 or -1, so that zeros only fill lanes up."""
    for layer in program.layers:
        if layer.kind != "macs":
            continue
        groups, lanes = layer.counts[2], 1 if layer.single else program.lanes
        rows = program.weights[layer.weight : layer.weight + groups * layer.depth, :lanes]
        by_filter = rows.reshape(groups, layer.depth, lanes).transpose(0, 2, 1).reshape(groups * lanes, layer.depth)
        if not by_filter[: layer.channels].all():
            return False
    return True


def _address_bits(count: int) -> int:
    return max(1, (count - 1).bit_length())
