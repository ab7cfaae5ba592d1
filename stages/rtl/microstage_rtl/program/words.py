"""The words that describe one layer to the machine, in the order in which core/ms_layer.sv fetches them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from microstage_rtl.program.program import KINDS, MachineLayer, MachineProgram

__all__ = ["WORDS", "Fields"]

WORDS = 24


@dataclass(frozen=True)
class Fields:
    """Layers of `program` as words."""

    program: MachineProgram

    @cached_property
    def shifts(self) -> list[int]:
        """Return the shifts that there are; a layer says which of them it has."""
        return sorted({layer.shift for layer in self.program.layers})

    def of(self, layer: MachineLayer) -> list[int]:
        """Return the `WORDS` words of one layer; negative ones are for two's complement."""
        flags = [layer.last, layer.on_start, layer.to_stream, layer.single]
        control = sum(flag << 7 - place for place, flag in enumerate(flags)) | KINDS.index(layer.kind)
        return [
            control,
            layer.even << 10
            | layer.looks_up << 9
            | layer.constants_step << 8
            | self.shifts.index(layer.shift) << 4
            | layer.halvings,
            *(count - 1 for count in layer.counts[::-1]),
            *_jumps(layer)[::-1],
            layer.read,
            layer.weight,
            layer.write,
            layer.channels - 1,
            layer.row - (layer.channels - 1),
            layer.constants,
            layer.table,
            layer.table_step,
            layer.low,
            layer.high,
        ]


def _jumps(layer: MachineLayer) -> list[int]:
    """Return what is added to the address where each loop moves on, which takes those within it back to their start."""
    ends = [(count - 1) * stride for count, stride in zip(layer.counts, layer.strides)]
    return [stride - sum(ends[place + 1 :]) for place, stride in enumerate(layer.strides)]
