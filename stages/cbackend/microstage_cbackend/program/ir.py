"""The integer program of one part of a network: tensors with proven ranges, layers that call one kernel each.

Tensor   a value: shape, proven range, smallest C type, place in memory      Stage   how a sum becomes what is stored
KernelCall    one kernel call on tensors                                          Part    inputs, outputs, layers in
              order
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage_cbackend.program.requantise import MultiplyAddShift, Requantisation, Search
from microstage_cbackend.program.wide import Wide

__all__ = [
    "Ends",
    "KernelCall",
    "Part",
    "Tensor",
    "accumulator_type",
    "bits_of",
    "ends_by_channel",
    "smallest_type",
    "type_range",
]

Ends = tuple[np.ndarray, np.ndarray]
"Lowest and highest integers, both included."
_TYPES = ("int8_t", "uint8_t", "int16_t", "uint16_t", "int32_t", "int64_t")  # uint32_t would compare wrongly with int


def bits_of(ctype: str) -> int:
    """Width of a C type of this program: 8, 16, 32 or 64."""
    return int("".join(character for character in ctype if character.isdigit()))


def type_range(ctype: str) -> tuple[int, int]:
    """Lowest and highest value of a C type."""
    bits = bits_of(ctype)
    return (0, (1 << bits) - 1) if ctype.startswith("u") else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def smallest_type(low: int, high: int, place: str) -> str:
    """The first of the standard C types that holds low..high; `ModelError` naming `place` when none does."""
    for ctype in _TYPES:
        lowest, highest = type_range(ctype)
        if lowest <= low and high <= highest:
            return ctype
    raise ModelError(f"{place} can reach {low}..{high}, which no 64-bit integer holds; use narrower weights or inputs.")


def accumulator_type(low: int, high: int, place: str) -> str:
    """int32_t or int64_t, whichever the proven range of all partial sums needs."""
    return "int64_t" if bits_of(smallest_type(low, high, place)) == 64 else "int32_t"


@dataclass(eq=False)
class Tensor:
    """A value of `shape` whose integers lie in low..high, both included; `data` holds the integers of a constant.

    A view (`base` given) shows elements of another tensor: `at`, of the view's shape, holds their places in the memory
    of `root`. Transposing, reshaping, slicing and splitting are views and cost nothing.
    """

    name: str
    shape: tuple[int, ...]
    low: int
    high: int
    data: np.ndarray | None = None
    base: Tensor | None = None
    declared: str = ""
    "C type that the caller sees or a pass has chosen; else the smallest type is taken."
    at: np.ndarray | None = None
    length: int = 0
    "Elements in memory where a pass packs several values into one; else the size."
    reach: Ends | None = None
    "Lowest and highest integer of each element in memory, where they are proven one by one; of a root."

    @property
    def integers(self) -> np.ndarray:
        """The integers of a constant."""
        assert self.data is not None, f"{self.name} is no constant"
        return self.data

    @property
    def root(self) -> Tensor:
        return self.base.root if self.base else self

    @property
    def size(self) -> int:
        return self.length or prod(self.shape)

    @property
    def ctype(self) -> str:
        root = self.root
        return root.declared or smallest_type(root.low, root.high, f"Tensor {root.name}")

    @property
    def bytes(self) -> int:
        return self.size * bits_of(self.ctype) // 8

    @property
    def places(self) -> np.ndarray:
        """Places of the elements in the memory of `root`, int64 of this shape."""
        return np.arange(prod(self.shape)).reshape(self.shape) if self.at is None else self.at

    @property
    def start(self) -> int:
        """Place of the first element; for views that are dense from there on, which is what layers are given."""
        return 0 if self.at is None else int(self.at.flat[0])

    @property
    def dense(self) -> bool:
        """Whether the elements lie one after another in memory."""
        return self.at is None or bool(
            np.array_equal(self.at.ravel(), np.arange(self.start, self.start + self.at.size))
        )

    @property
    def ends(self) -> Ends:
        """Lowest and highest integer of each element, int64 of this shape."""
        if self.root.reach is None:
            return np.full(self.shape, self.low, np.int64), np.full(self.shape, self.high, np.int64)
        return self.root.reach[0][self.places], self.root.reach[1][self.places]

    def learn(self, low: np.ndarray, high: np.ndarray) -> None:
        """Take it that each element lies between those of `low` and `high`, int64 of this shape."""
        self.low, self.high, root = int(low.min()), int(high.max()), self.root
        each = low.size == prod(root.shape) and len(np.unique(self.places)) == low.size
        if root.reach is None and each:
            root.reach = _scattered(low, self.places), _scattered(high, self.places)
            root.low, root.high = self.low, self.high

    def view(self, name: str, places: np.ndarray) -> Tensor:
        """The elements at `places` of `root`'s memory; of a constant, a constant."""
        if self.data is not None:
            data = self.root.integers.ravel()[places]
            return Tensor(name, places.shape, self.low, self.high, data)
        return Tensor(name, places.shape, self.low, self.high, base=self, at=places)


def _scattered(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    found = np.empty(values.size, np.int64)
    found[places.ravel()] = values.ravel()
    return found


@dataclass
class KernelCall:
    """One call `kernel(x..., [stage], [scratch], y, shape)`; `accumulator` is a C type or empty where nothing is
    summed.

    `inputs` and `output` are dense in memory. `scratch` is how many elements of working memory the kernel has.
    """

    node: str
    operator: str
    kernel: str
    inputs: list[Tensor]
    output: Tensor
    shape: dict[str, Any]
    accumulator: str = ""
    remark: str = ""
    stage: Requantisation | Wide | None = None
    bias: Tensor | None = None
    scratch: int = 0
    extra: int | None = None
    "A last argument of its own: bits per weight, or signs per word group."
    partial: tuple[int, int] = (0, 0)
    "Proven range of every partial sum."
    reach: Ends = field(default_factory=lambda: (np.zeros(1, np.int64), np.zeros(1, np.int64)))
    "Lowest and highest sum that reaches the stage, int64 per channel, or of length 1."

    @property
    def thresholds(self) -> Search:
        """The stage of a layer that is known to search thresholds."""
        assert isinstance(self.stage, Search), f"{self.node} searches no thresholds"
        return self.stage

    @property
    def line(self) -> MultiplyAddShift:
        """The stage of a layer that is known to multiply, add and shift."""
        assert isinstance(self.stage, MultiplyAddShift), f"{self.node} has no line"
        return self.stage

    @property
    def weights(self) -> np.ndarray:
        """The integers of the second operand, which is a constant."""
        return self.inputs[1].integers

    @property
    def working(self) -> tuple[str, int] | None:
        """C type and elements of the working memory, as the kernel takes them."""
        if not self.scratch:
            return None
        kinds = {
            "ms_conv2d": self.inputs[0].ctype,
            "ms_depthwise": self.accumulator,
            "ms_conv_u8": "int16_t",
            "ms_conv_u8_sums": "int16_t",
        }
        return kinds.get(self.kernel, "int8_t"), self.scratch


@dataclass
class Part:
    """One graph as a straight program. Inputs and outputs keep the graph's names and order."""

    name: str
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    output_names: list[str] = field(default_factory=list)
    layers: list[KernelCall] = field(default_factory=list)
    proofs: list[dict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    states: list[tuple[str, str]] = field(default_factory=list)
    "Of a recurrent cell: inputs that are states, and the outputs that they take of the step before."

    def writers(self, tensor: Tensor) -> list[KernelCall]:
        """Layers that write into the memory of `tensor`."""
        return [layer for layer in self.layers if layer.output.root is tensor.root]

    def readers(self, tensor: Tensor) -> list[KernelCall]:
        """Layers that read the memory of `tensor`; a part's output counts as one reader more in `read_once`."""
        return [layer for layer in self.layers if any(t.root is tensor.root for t in layer.inputs)]

    def read_once(self, tensor: Tensor) -> bool:
        """Whether one layer reads `tensor` and it is no output."""
        return len(self.readers(tensor)) == 1 and all(t.root is not tensor.root for t in self.outputs)


def ends_by_channel(x: Tensor, outer: int, channels: int, inner: int) -> Ends:
    """Lowest and highest integer of each of `channels` of `x`, which lies in memory as [outer][channels][inner]."""
    low, high = (end.reshape(outer, channels, inner) for end in x.ends)
    return low.min(axis=(0, 2)), high.max(axis=(0, 2))
