"""The networks on their way to ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from microstage.models.floats.exporting import FloatExporting
from microstage.models.zoo import networks

__all__ = ["Exporting"]


class Exporting(FloatExporting):
    @staticmethod
    def float_network(parameters: Mapping[str, Any]) -> nn.Module:
        return networks.float_network(parameters)
