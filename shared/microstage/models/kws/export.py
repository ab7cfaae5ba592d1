"""The keyword network on its way to ONNX."""

from __future__ import annotations

from pathlib import Path

from microstage.models import exporting
from microstage.models.kws.definition import KeywordDefinition
from microstage.models.kws.network import KeywordNetwork

__all__ = ["Exporting"]


class Exporting(exporting.Exporting):
    input, output = "mfcc", "logits"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.network = KeywordNetwork(KeywordDefinition.load(folder))
