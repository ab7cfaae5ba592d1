"""Write the parts of a model: tensors with their places, layers with their operands, stages and sizes."""

from __future__ import annotations

from collections.abc import Sequence

from microstage.errors import ModelError
from microstage_cbackend.network_file.format.numbers import BY_KERNEL, BY_STAGE, CTYPES, PLACES
from microstage_cbackend.network_file.format.records import ABSENT
from microstage_cbackend.network_file.writing.contents import Contents
from microstage_cbackend.program.arguments import StageArray, layouts_of, operands, stage_of
from microstage_cbackend.program.ir import KernelCall, Part, Tensor
from microstage_cbackend.program.memory import MemoryPlan

__all__ = ["PartRecords"]


class PartRecords:
    """Write the layers of one part into `contents`; `first` and `count` say which they are.

    `numbers`: those of the tensors that layers refer to.
    """

    def __init__(self, contents: Contents, part: Part, plan: MemoryPlan) -> None:
        self._contents, self._part, self._plan = contents, part, plan
        self.numbers: dict[Tensor, int] = {}
        self.arena_bytes = plan.size
        self.first, self.count = len(contents.rows["LAYR"]), len(part.layers)
        for number, tensor in enumerate((*part.inputs, *part.outputs)):
            self._add(tensor, "argument", number)
        for tensor, buffer in plan.buffers.items():
            self._add(tensor, "arena", buffer.offset)
        for number, layer in enumerate(part.layers):
            self._layer(number, layer)

    def _add(self, tensor: Tensor, place: str, offset: int) -> None:
        words = tensor.ctype == "uint64_t"
        self.numbers[tensor] = self._contents.add(
            "TENS",
            ctype=CTYPES[tensor.ctype],
            place=PLACES[place],
            elements=tensor.size,
            offset=offset,
            name=self._contents.names.at(tensor.name),
            low=0 if words else tensor.low,
            high=0 if words else tensor.high,
        )

    def _layer(self, number: int, layer: KernelCall) -> None:
        contents, kernel = self._contents, BY_KERNEL[layer.kernel]
        given = operands(layer)
        scratch = self._plan.scratch.get(number)
        self._pack(layer)
        contents.add(
            "LAYR",
            kernel=kernel.number,
            accumulator=CTYPES[layer.accumulator] if layer.accumulator else 0,
            name=contents.names.at(layer.node),
            operator=contents.names.at(layer.operator),
            operands=[self._number(t) for t in given],
            starts=[t.start if t is not None else 0 for t in given],
            scratch=scratch.offset if scratch else 0,
            scratch_bytes=scratch.bytes if scratch else 0,
            **_sizes(layer),
            **self._stage(layer),
        )

    def _number(self, tensor: Tensor | None) -> int:
        """Return the number of the tensor that an operand lies in, of a constant a new one at its first use."""
        if tensor is None:
            return ABSENT
        if tensor.data is not None and tensor not in self.numbers:
            self.numbers[tensor] = self._contents.constant(tensor.integers, tensor.ctype, tensor.name)
        return self.numbers[tensor.root]

    def _pack(self, layer: KernelCall) -> None:
        """Write the weights of a layer that reads them packed."""
        w, forms = operands(layer).w, layouts_of(layer)
        if not forms or w is None or w in self.numbers:
            return
        contents, rows = self._contents, forms["rows"]
        stored = {layout: values.astype("<u8" if w.ctype == "uint64_t" else "i1") for layout, values in forms.items()}
        self.numbers[w] = contents.add(
            "TENS",
            ctype=CTYPES[w.ctype],
            place=PLACES["packed"],
            elements=rows.size,
            offset=contents.packs.add(stored),
            name=contents.names.at(w.name),
        )

    def _stage(self, layer: KernelCall) -> dict[str, int | Sequence[int]]:
        """Return the fields of a layer that say its stage."""
        given = stage_of(layer)
        if given is None:
            return {"arrays": [ABSENT] * 4}
        stage, members = BY_STAGE[given.kind], given.members
        arrays = [ABSENT] * 4
        for place, name in enumerate(stage.arrays):
            value = members.get(name)
            if isinstance(value, StageArray):
                arrays[place] = self._contents.constant(value.values, value.ctype, f"{layer.output.name}_{name}")
        numbers = [int(members.get(name, 0)) for name in stage.numbers]  # type: ignore[arg-type]
        wide = int(members.get(stage.wide, 0))  # type: ignore[arg-type]
        return {"stage": stage.number, "arrays": arrays, "numbers": [*numbers, *[0] * (6 - len(numbers))], "wide": wide}


def _sizes(layer: KernelCall) -> dict[str, Sequence[int]]:
    """Return the fields of a layer that say its sizes, in the order of its kernel."""
    given: dict[str, int] = {}
    for name, value in layer.shape.items():
        given |= {f"{name}[{i}]": each for i, each in enumerate(value)} if isinstance(value, list) else {name: value}
    given |= {"bits": layer.packed_bits} if layer.packed_bits else {}
    given |= {"signs": layer.signs} if layer.kernel == "ms_xnor_sums" else {}
    kernel = BY_KERNEL[layer.kernel]
    if unknown := set(given) - {*kernel.sizes, *kernel.factors}:
        raise AssertionError(f"{layer.node}: {layer.kernel} has no {unknown}, which is a fault of this generator")
    shape, factors = ([int(given.get(name, 0)) for name in names] for names in (kernel.sizes, kernel.factors))
    if max(map(abs, shape)) >= 1 << 31:
        raise ModelError(f"{layer.node} has sizes of 2^31 and more; expected a smaller network.")
    return {"shape": [*shape, *[0] * (20 - len(shape))], "factors": [*factors, *[0] * (2 - len(factors))]}
