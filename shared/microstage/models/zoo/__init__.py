"""Well-known networks for small pictures: LeNet-5, ResNets, VGGs and MobileNetV2, trained in floats and then quantised.

docs/zoo.md has a table of them.
"""

from __future__ import annotations

from typing import Any

from microstage.models import FEED_FORWARD
from microstage.models.floats.parameters import HELD_OUT
from microstage.models.floats.parameters import PARAMETERS as OF_FLOATS

__all__ = ["FORM", "MODELS", "PARAMETERS"]

FORM = FEED_FORWARD
_DATASETS = ["glyphs", "mnist", "shapes", "cifar10"]


def _recipe(width: int, epochs: int, batch: int, learning_rate: float, images: int) -> dict[str, Any]:
    return {
        "width": width,
        "epochs": epochs,
        "batch": batch,
        "learning_rate": learning_rate,
        "images": images,
    }


MODELS: dict[str, dict[str, Any]] = {
    "lenet": {**_recipe(6, 6, 64, 0.002, 4000), "dataset": "glyphs", "held_out": 5000},
    "resnet18": _recipe(64, 4, 32, 0.001, 600),
    "resnet34": _recipe(64, 2, 32, 0.001, 300),
    "resnet50": _recipe(64, 2, 32, 0.001, 300),
    "vgg11": _recipe(64, 4, 32, 0.001, 600),
    "vgg16": _recipe(64, 2, 32, 0.001, 300),
    "mobilenet_v2": _recipe(32, 4, 32, 0.002, 400),
}
PARAMETERS: dict[str, dict[str, Any]] = {
    **OF_FLOATS,
    "target": {**OF_FLOATS["target"], "default": "fpgai"},
    "retrain_epochs": {**OF_FLOATS["retrain_epochs"], "default": 2},
    "epochs": {"summary": "Epochs of the float network."},
    "dataset": {
        "default": "shapes",
        "choices": _DATASETS,
        "summary": "What to train on: digits of 28 x 28, drawn (glyphs) or handwritten (mnist), or pictures of 32 x 32,"
        " drawn (shapes) or photographs (cifar10); mnist and cifar10 need DATA_DIR.",
    },
    "images": {
        "type": "int",
        "min": 100,
        "max": 1000000,
        "unit": "images",
        "summary": "Drawn pictures to train on.",
    },
    "held_out": {
        **HELD_OUT,
        "summary": "Images of mnist or cifar10 that validate; as many more test where there are no test images.",
    },
    "width": {
        "type": "int",
        "min": 1,
        "max": 1024,
        "summary": "Channels of the first convolution, which all others grow with.",
    },
}
