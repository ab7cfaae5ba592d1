"""FINN-ONNX: integer weights, and thresholds in the place of every requantiser."""

from __future__ import annotations

import numpy as np
import onnx

from microstage.errors import ModelError
from microstage.quantisation.dialects.integer_writer import IntegerWriter
from microstage.quantisation.dialects.onnx_writer import window_of
from microstage.quantisation.integers.levels import Levels
from microstage.quantisation.integers.operations import AveragePool, Requantise

__all__ = ["FinnWriter"]

_DOMAIN = "qonnx.custom_op.general"


class FinnWriter(IntegerWriter):
    """The k-th threshold is the least accumulator whose level is k above the lowest. Whatever rounds can be stated."""

    domains = {_DOMAIN: 1}

    def model(self) -> onnx.ModelProto:
        self._assert_centred()
        model = super().model()
        levels = self.network.quantiser.levels
        model.graph.quantization_annotation.append(_annotation(self.graph_input, _type(levels)))
        return model

    def requantise(self, operation: Requantise) -> None:
        if len(self.network.shapes[operation.output]) == 2:
            raise ModelError(
                f"Layer {operation.layer}: FINN has thresholds of vectors and images: it travels as qonnx."
            )
        self.node(
            "MultiThreshold",
            (*operation.inputs, self.integers(f"{operation.output}_thresholds", operation.thresholds)),
            operation.output,
            _DOMAIN,
            out_bias=float(operation.lowest),
            out_dtype=_type(operation.levels),
        )

    def average_pool(self, operation: AveragePool) -> None:
        """Write the sum, as a convolution with ones, channel by channel; the thresholds behind it are the sum's."""
        channels = self.network.shapes[operation.output][0]
        ones = self.integers(f"{operation.output}_ones", np.ones((channels, 1, *operation.kernel)))
        inputs = (*operation.inputs, ones)
        self.node("Conv", inputs, operation.output, group=channels, **window_of(operation))

    def _assert_centred(self) -> None:
        moved = [name for name, levels in self.network.levels.items() if levels.zero]
        if moved:
            raise ModelError(f"{moved[0]} has a zero point, which the dialect finn does not have: it travels as qonnx.")


def _type(levels: Levels) -> str:
    return f"{'INT' if levels.signed else 'UINT'}{levels.bits}"


def _annotation(tensor: str, type_: str) -> onnx.TensorAnnotation:
    pair = onnx.StringStringEntryProto(key="finn_datatype", value=type_)
    return onnx.TensorAnnotation(tensor_name=tensor, quant_parameter_tensor_names=[pair])
