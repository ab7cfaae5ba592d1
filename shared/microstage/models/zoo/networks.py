"""Which network a MODEL= is, of which size, and for which pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from microstage.models.floats.mobilenet_v2 import MobileNetV2
from microstage.models.floats.pictures import PICTURES
from microstage.models.zoo.lenet import LeNet
from microstage.models.zoo.resnets import BasicBlock, Bottleneck, DeepResNet
from microstage.models.zoo.vggs import Vgg

__all__ = ["float_network"]

_Shape = tuple[int, int, int]
_MADE: dict[str, Callable[[_Shape, int, int], nn.Module]] = {
    "lenet": LeNet,
    "resnet18": lambda shape, width, classes: DeepResNet(shape, BasicBlock, (2, 2, 2, 2), width, classes),
    "resnet34": lambda shape, width, classes: DeepResNet(shape, BasicBlock, (3, 4, 6, 3), width, classes),
    "resnet50": lambda shape, width, classes: DeepResNet(shape, Bottleneck, (3, 4, 6, 3), width, classes),
    "vgg11": lambda shape, width, classes: Vgg(shape, (1, 1, 2, 2, 2), width, classes),
    "vgg16": lambda shape, width, classes: Vgg(shape, (2, 2, 3, 3, 3), width, classes),
    "mobilenet_v2": lambda shape, width, classes: MobileNetV2(width, classes, shape[0], 3 if shape[1] == 32 else 4),
}


def float_network(parameters: Mapping[str, Any]) -> nn.Module:
    """Return the network that `parameters` name, untrained."""
    chosen = PICTURES[parameters["dataset"]]
    assert chosen.shape is not None
    return _MADE[parameters["model"]](chosen.shape, parameters["width"], len(chosen.names))
