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
    "resnet18": lambda shape, *size: DeepResNet(shape, BasicBlock, (2, 2, 2, 2), *size),
    "resnet34": lambda shape, *size: DeepResNet(shape, BasicBlock, (3, 4, 6, 3), *size),
    "resnet50": lambda shape, *size: DeepResNet(shape, Bottleneck, (3, 4, 6, 3), *size),
    "vgg11": lambda shape, *size: Vgg(shape, (1, 1, 2, 2, 2), *size),
    "vgg16": lambda shape, *size: Vgg(shape, (2, 2, 3, 3, 3), *size),
    "mobilenet_v2": lambda shape, *size: MobileNetV2(*size, shape[0], halvings=3 if shape[1] == 32 else 4),
}


def float_network(parameters: Mapping[str, Any]) -> nn.Module:
    """Return the network that `parameters` name, untrained."""
    chosen = PICTURES[parameters["dataset"]]
    assert chosen.shape is not None
    return _MADE[parameters["model"]](chosen.shape, parameters["width"], len(chosen.names))
