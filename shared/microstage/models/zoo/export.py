"""The networks on their way to ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from microstage.errors import VerificationError
from microstage.fpgai import read_binary, read_text, write_binary, write_text
from microstage.fpgai.of_integers import has_such_layers, layers_of
from microstage.models.floats.exporting import FloatExporting
from microstage.models.zoo import networks

__all__ = ["Exporting"]


class Exporting(FloatExporting):
    @staticmethod
    def float_network(parameters: Mapping[str, Any]) -> nn.Module:
        return networks.float_network(parameters)

    def save(self, folder: Path) -> None:
        """Write the layers as FPGAI's text and bytes, for a target that has such layers, and read them again."""
        super().save(folder)
        if not has_such_layers(self.network.target):
            return
        layers, name = list(layers_of(self.network.integerize()).values()), self.model
        write_text(folder, name, layers)
        write_binary(folder, name, layers)
        shapes = [layer.weight.shape for layer in layers]
        if not read_text(folder, name, shapes) == read_binary(folder, name, shapes) == layers:
            raise VerificationError(f"{name}_weight.txt, .bin or {name}_bias.bin does not hold what was written.")
