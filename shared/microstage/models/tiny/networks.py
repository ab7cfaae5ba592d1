"""Which network a MODEL= is, and of which size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from microstage.datasets.images import figures, shapes
from microstage.datasets.machine import frames
from microstage.datasets.speech.clips import CLASSES
from microstage.models.floats.mobilenet_v2 import MobileNetV2
from microstage.models.tiny.autoencoder import Autoencoder
from microstage.models.tiny.resnets import ResNet
from microstage.models.tiny.separable import DsCnn, MobileNetV1

__all__ = ["float_network"]

_OF_WIDTH: dict[str, Callable[[int], nn.Module]] = {
    "resnet8": lambda width: ResNet(1, width, len(shapes.NAMES)),
    "resnet20": lambda width: ResNet(3, width, len(shapes.NAMES)),
    "mobilenetv1": lambda width: MobileNetV1(width, len(figures.NAMES)),
    "mobilenetv2": lambda width: MobileNetV2(width, len(shapes.NAMES)),
    "dscnn": lambda width: DsCnn(width, len(CLASSES)),
    "dae": lambda width: Autoencoder(frames.INPUTS, width),
}


def float_network(parameters: Mapping[str, Any]) -> nn.Module:
    """Return the network that `parameters` name, untrained."""
    return _OF_WIDTH[parameters["model"]](parameters["width"])
