"""The machine's program: layers with their places in memory, and what its read-only memories hold."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

__all__ = ["HELD", "KINDS", "MachineLayer", "StreamPort", "MachineProgram"]

KINDS = ("macs", "sum", "difference", "product", "largest", "smallest", "place", "rescale", "input")
"""What a call does with the integers of each window, in the order of the machine's codes.

`macs`: sums of products with weights, for as many filters at once as there are lanes. The others take one result at a
time: the sum of all integers, the first minus the others, their product, the largest, the smallest, the place of the
first largest, and the first over two to the power of the second, halves rounded up and held to what the memory holds.
`input` takes beats from the stream.
"""

HELD = (1 << 20) - 1
"What rescaled integers are held to: the largest size of a state that follows the gain."


@dataclass(frozen=True)
class MachineLayer:
    """One loop nest as the machine runs it; KINDS says what each kind computes.

    `counts` and `strides` are of six loops, the outermost first; `depth` integers make one result. `single`: one result
    in a group, not one for each lane. Results of `channels` go to consecutive words from `write` on, and the next ones
    begin `row` words behind these. `constants`: the first row of multiplier and offset; `constants_step` is 1 where
    each channel has its own. `table`, `table_step`, `halvings` likewise say where thresholds are; of a layer that
    `looks_up`, the value of level k is word `table` + k.
    """

    name: str
    kind: str
    counts: tuple[int, ...]
    strides: tuple[int, ...]
    read: int
    weight: int
    single: bool
    write: int
    channels: int
    row: int
    constants: int
    constants_step: int
    table: int
    table_step: int
    halvings: int
    shift: int
    low: int
    high: int
    looks_up: bool = False
    even: bool = False
    to_stream: bool = False
    on_start: bool = False
    last: bool = False

    @property
    def depth(self) -> int:
        """Count the integers of one result."""
        return int(np.prod(self.counts[3:]))

    @property
    def groups(self) -> int:
        """Count the groups of results."""
        return int(np.prod(self.counts[:3]))

    @property
    def flows(self) -> bool:
        """Tell whether results follow each other without waiting for what becomes of them."""
        return self.single and not self.halvings and not self.to_stream


@dataclass(frozen=True)
class StreamPort:
    """One tensor of a stream: so many beats of integers in low..high, in row-major order of `shape`."""

    name: str
    shape: tuple[int, ...]
    low: int
    high: int

    @property
    def beats(self) -> int:
        """Count the integers."""
        return int(np.prod(self.shape))


@dataclass
class MachineProgram:
    """`weights` int64 [rows, lanes], `multipliers` and `offsets` int64 [rows], `thresholds` and `values`, of
    tables, int64 [words].

    `words` activations in memory; `places`: {tensor of the graphs: (layer that completes it, its words [shape])}.
    """

    layers: list[MachineLayer]
    lanes: int
    words: int
    weights: np.ndarray
    multipliers: np.ndarray
    offsets: np.ndarray
    thresholds: np.ndarray
    values: np.ndarray
    inputs: list[StreamPort]
    outputs: list[StreamPort]
    sums: tuple[int, int]
    "The least and the greatest result before requantisation."
    products: tuple[int, int]
    "The same of sum * multiplier + offset."
    reach: tuple[int, int]
    "The least and the greatest activation."
    operands: tuple[int, int]
    "The same of those that meet weights."
    places: dict[str, tuple[int, np.ndarray]] = field(default_factory=dict)
    states: list[str] = field(default_factory=list)

    @property
    def beats(self) -> tuple[int, int]:
        """Count the beats of a frame that comes in, and of one that goes out."""
        return sum(port.beats for port in self.inputs), sum(port.beats for port in self.outputs)
