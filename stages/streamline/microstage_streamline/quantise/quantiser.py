"""Drive onnxruntime's quantiser over ranges that were chosen here."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationMethod, QDQQuantizer, QuantType
from onnxruntime.quantization.calibrate import TensorsData

from microstage.errors import ModelError
from microstage.untrusted.exceptions import translated
from microstage_streamline.quantise.placement import Placement

__all__ = ["quantised"]

# Every tensor keeps its name; what a pool or a move reads is quantised first.
_OPTIONS = {"QDQKeepRemovableActivations": True, "ForceQuantizeNoInputCheck": True}


class _PlacedQuantizer(QDQQuantizer):
    """onnxruntime's quantiser, which leaves some tensors real."""

    real: frozenset[str] = frozenset()

    def quantize_activation_tensor(self, tensor_name: str) -> None:
        if tensor_name not in self.real:
            super().quantize_activation_tensor(tensor_name)


def quantised(
    model: onnx.ModelProto, placement: Placement, ranges: Mapping[str, tuple[float, float]]
) -> onnx.ModelProto:
    """Return `model` with QuantizeLinear and DequantizeLinear: uint8 tensors, int8 weights for each channel, int32
    biases.
    """
    ends = {name: (np.float32(low), np.float32(high)) for name, (low, high) in ranges.items()}
    refused = "onnxruntime's quantiser cannot quantise the network"
    with _quiet(), translated(lambda said: ModelError(f"{refused}: {said}.")):
        quantizer = _PlacedQuantizer(
            onnx.ModelProto.FromString(model.SerializeToString()),
            True,
            False,
            QuantType.QInt8,
            QuantType.QUInt8,
            TensorsData(CalibrationMethod.MinMax, ends),
            [],
            placement.excluded,
            placement.operators,
            dict(_OPTIONS),
        )
        quantizer.real = placement.real
        for name in placement.more:
            quantizer.quantize_activation_tensor(name)
        quantizer.quantize_model()
        quantizer.model.topological_sort()  # what is inserted stands at the end until then
        return quantizer.model.model


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep onnxruntime's advice on files of other forms to itself."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
