"""Give every tensor the narrowest integer type that its provable range needs."""

from __future__ import annotations

import numpy as np
import onnx
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from microstage.integer.ranges import Range, node_range, of_type

__all__ = ["RANGE", "AnnotateDatatypes", "datatype_of", "provable_ranges"]

RANGE = "integer_range"  # beside FINN's datatype of an input, where it takes less than that holds: "low high"


class AnnotateDatatypes(Transformation):
    """Types from interval arithmetic over the whole graph, constants included; `inputs` are (low, high) by name.

    A type that a MultiThreshold declares stays as declared: it is what the hardware layer emits.
    """

    def __init__(self, inputs: dict[str, tuple[int, int]]) -> None:
        super().__init__()
        self.inputs = inputs

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        for name, found in provable_ranges(model, self.inputs).items():
            model.set_tensor_datatype(name, datatype_of(*found.ends))
        for name, (low, high) in self.inputs.items():
            _say_range(model, name, low, high)
        for initializer in model.graph.initializer:
            value = model.get_initializer(initializer.name)
            if np.issubdtype(value.dtype, np.floating):
                bipolar = bool(np.all(np.abs(value) == 1) and value.min() < 0)
                kind = DataType["BIPOLAR"] if bipolar else datatype_of(int(value.min()), int(value.max()))
                model.set_tensor_datatype(initializer.name, kind)
        return model, False


def _say_range(model: ModelWrapper, name: str, low: int, high: int) -> None:
    kind = datatype_of(low, high)
    said = next(found for found in model.graph.quantization_annotation if found.tensor_name == name)
    if (kind.min(), kind.max()) != (low, high) and all(p.key != RANGE for p in said.quant_parameter_tensor_names):
        said.quant_parameter_tensor_names.append(onnx.StringStringEntryProto(key=RANGE, value=f"{low} {high}"))


def provable_ranges(model: ModelWrapper, inputs: dict[str, tuple[int, int]]) -> dict[str, Range]:
    """Return the range of every tensor that is computed, graph inputs included."""
    constants = {i.name: model.get_initializer(i.name) for i in model.graph.initializer}
    ranges = {name: of_type([1, *model.get_tensor_shape(name)[1:]], *ends) for name, ends in inputs.items()}
    for node in model.graph.node:
        ranges.update(node_range(node, ranges, constants))
    return ranges


def datatype_of(low: int, high: int) -> DataType:
    """Return the narrowest integer type that holds low..high, signed if any of it is negative."""
    if low >= 0:
        return DataType[f"UINT{max(1, high.bit_length())}"]
    return DataType[f"INT{max((-low - 1).bit_length(), max(high, 0).bit_length()) + 1}"]
