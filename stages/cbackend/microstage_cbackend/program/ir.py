"""Define the integer program of one part of a network.

Tensor           a value: shape, proven range, smallest C type, place in memory
Requantisation   how a sum becomes the integer that is stored
KernelCall       one call of one kernel on tensors, also called a layer
Part             inputs, outputs and layers in the order in which they run
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage.requantise import MultiplyAddShift, Raw, Search, Shared
from microstage_cbackend.program.small_line import SmallLine
from microstage_cbackend.program.wide import Wide

__all__ = [
    "Ends",
    "KernelCall",
    "Levelled",
    "Part",
    "Requantisation",
    "RowStage",
    "Tensor",
    "accumulator_type",
    "bits_of",
    "ends_by_channel",
    "smallest_type",
    "type_range",
]

Ends = tuple[np.ndarray, np.ndarray]
"Lowest and highest integers, both included."
RowStage = Search | MultiplyAddShift | Wide
"Stages with a row of constants for all channels or one for each; they can be given other rows and shifted sums."
Levelled = RowStage | Shared
"Stages that make levels of sums: all but the sum itself."
Requantisation = Levelled | Raw | SmallLine
_TYPES = ("int8_t", "uint8_t", "int16_t", "uint16_t", "int32_t", "int64_t")  # uint32_t would compare wrongly with int


def bits_of(ctype: str) -> int:
    """Return the width of a C type of this program: 8, 16, 32 or 64."""
    return int("".join(character for character in ctype if character.isdigit()))


def type_range(ctype: str) -> tuple[int, int]:
    """Return the lowest and the highest value of a C type."""
    bits = bits_of(ctype)
    return (0, (1 << bits) - 1) if ctype.startswith("u") else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def smallest_type(low: int, high: int, place: str) -> str:
    """Return the first of the standard C types that holds low..high; `ModelError` naming `place` when none does."""
    for ctype in _TYPES:
        lowest, highest = type_range(ctype)
        if lowest <= low and high <= highest:
            return ctype
    raise ModelError(f"{place} can reach {low}..{high}, which no 64-bit integer holds; use narrower weights or inputs.")


def accumulator_type(low: int, high: int, place: str) -> str:
    """Return int32_t or int64_t, whichever the proven range of all partial sums needs."""
    return "int64_t" if bits_of(smallest_type(low, high, place)) == 64 else "int32_t"


@dataclass(eq=False)
class Tensor:
    """Hold a value of `shape` whose integers lie in low..high, both included.

    `data` holds the integers of a constant. A view (`base` given) shows elements of another tensor: `at`, of the view's
    shape, holds their places in the memory of `root`. Transposing, reshaping, slicing and splitting are views and cost
    nothing.
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
        """Return the integers of a tensor that is known to be a constant."""
        if self.data is None:
            raise AssertionError(f"{self.name} is no constant, which is a fault of this generator")
        return self.data

    @property
    def root(self) -> Tensor:
        """Return the tensor whose memory this one lies in."""
        return self.base.root if self.base else self

    @property
    def size(self) -> int:
        """Count the elements that its memory has."""
        return self.length or prod(self.shape)

    @property
    def ctype(self) -> str:
        """Return the C type of its elements."""
        root = self.root
        return root.declared or smallest_type(root.low, root.high, f"Tensor {root.name}")

    @property
    def bytes(self) -> int:
        """Count the bytes of its memory."""
        return self.size * bits_of(self.ctype) // 8

    @property
    def places(self) -> np.ndarray:
        """Return the places of the elements in the memory of `root`, int64 of this shape."""
        return np.arange(prod(self.shape)).reshape(self.shape) if self.at is None else self.at

    @property
    def start(self) -> int:
        """Return the place of the first element; of the views that layers are given, all others follow it."""
        return 0 if self.at is None else int(self.at.flat[0])

    @property
    def dense(self) -> bool:
        """Tell whether the elements lie one after another in memory."""
        return self.at is None or bool(
            np.array_equal(self.at.ravel(), np.arange(self.start, self.start + self.at.size))
        )

    @property
    def ends(self) -> Ends:
        """Return the lowest and the highest integer of each element, int64 of this shape."""
        if self.root.reach is None:
            return np.full(self.shape, self.low, np.int64), np.full(self.shape, self.high, np.int64)
        return self.root.reach[0][self.places], self.root.reach[1][self.places]

    def learn(self, low: np.ndarray, high: np.ndarray) -> None:
        """Note that each element lies between those of `low` and `high`, int64 of this shape."""
        self.low, self.high, root = int(low.min()), int(high.max()), self.root
        each = low.size == prod(root.shape) and len(np.unique(self.places)) == low.size
        if root.reach is None and each:
            root.reach = _scattered(low, self.places), _scattered(high, self.places)
            root.low, root.high = self.low, self.high

    def view(self, name: str, places: np.ndarray) -> Tensor:
        """Return the elements at `places` of `root`'s memory; of a constant, a constant."""
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
    """Describe one call `kernel(x..., [stage], [scratch], y, shape)`.

    `inputs` and `output` are dense in memory. `accumulator` is a C type, or empty where nothing is summed. `stage` is
    None of kernels that store what they compute. `scratch` counts the elements of working memory that the kernel has.
    """

    node: str
    operator: str
    kernel: str
    inputs: list[Tensor]
    output: Tensor
    shape: dict[str, Any]
    accumulator: str = ""
    remark: str = ""
    stage: Requantisation | None = None
    bias: Tensor | None = None
    scratch: int = 0
    packed_bits: int = 0
    "Bits of each weight where several lie in a byte, which the kernel is told last; else 0."
    signs: int = 0
    "Products of signs that each sum has, of kernels on words of 64 signs; else 0."
    partial: tuple[int, int] = (0, 0)
    "Proven range of every partial sum."
    reach: Ends = field(default_factory=lambda: (np.zeros(1, np.int64), np.zeros(1, np.int64)))
    "Lowest and highest sum that reaches the stage, int64 per channel, or of length 1."

    @property
    def requantisation(self) -> Requantisation:
        """Return the stage of a kernel that is known to have one."""
        if self.stage is None:
            raise AssertionError(f"{self.node}: {self.kernel} has no stage, which is a fault of this generator")
        return self.stage

    @property
    def weights(self) -> np.ndarray:
        """Return the integers of the second operand, which is a constant."""
        return self.inputs[1].integers

    @property
    def working(self) -> tuple[str, int] | None:
        """Return C type and number of elements of the working memory, as the kernel takes them."""
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
    """Hold one graph as a straight program. Inputs and outputs keep the graph's names and order."""

    name: str
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    output_names: list[str] = field(default_factory=list)
    layers: list[KernelCall] = field(default_factory=list)
    proofs: list[dict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    states: list[tuple[str, str]] = field(default_factory=list)
    "Of a recurrent cell: inputs that are states, and the outputs that they take of the step before."
    small: Part | None = None
    "The same between the same inputs and outputs, as small machines run it; None where they run this."

    @property
    def proven(self) -> list[dict]:
        """Return what was proven of each layer, of those for small machines too."""
        return [*self.proofs, *(self.small.proofs if self.small else [])]

    def writers(self, tensor: Tensor) -> list[KernelCall]:
        """Return the layers that write into the memory of `tensor`."""
        return [layer for layer in self.layers if layer.output.root is tensor.root]

    def readers(self, tensor: Tensor) -> list[KernelCall]:
        """Return the layers that read the memory of `tensor`."""
        return [layer for layer in self.layers if any(t.root is tensor.root for t in layer.inputs)]

    def read_once(self, tensor: Tensor) -> bool:
        """Tell whether one layer reads `tensor` and it is no output of the part."""
        return len(self.readers(tensor)) == 1 and all(t.root is not tensor.root for t in self.outputs)


def ends_by_channel(x: Tensor, outer: int, channels: int, inner: int) -> Ends:
    """Return the lowest and the highest integer of each channel of `x`, in memory [outer][channels][inner]."""
    low, high = (end.reshape(outer, channels, inner) for end in x.ends)
    return low.min(axis=(0, 2)), high.max(axis=(0, 2))
