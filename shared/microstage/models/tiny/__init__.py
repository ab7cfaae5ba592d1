"""Networks of tinyML as plain float modules, trained in floats and then quantised for a target.

Those of MLPerf Tiny (ResNet8, MobileNetV1, DS-CNN, the autoencoder), and ResNet20 and MobileNetV2 as for CIFAR-10.
docs/tiny-networks.md has a table of them.
"""

from __future__ import annotations

from typing import Any

from microstage.models import FEED_FORWARD
from microstage.models.floats.parameters import HELD_OUT
from microstage.models.floats.parameters import PARAMETERS as OF_FLOATS

__all__ = ["FORM", "MODELS", "PARAMETERS"]

FORM = FEED_FORWARD
_COUNT = {"type": "int", "max": 1000000}
_IMAGES = {**_COUNT, "default": 2000, "min": 100, "unit": "images", "summary": "Drawn pictures to train on."}
_SMALL_PICTURES: dict[str, Any] = {
    "images": _IMAGES,
    "dataset": {
        "default": "shapes",
        "choices": ["shapes", "cifar10"],
        "summary": "What to train on: drawn shapes, built in, or photographs, which need DATA_DIR.",
    },
    "held_out": {
        **HELD_OUT,
        "summary": "Photographs that validate; as many more test where a part of cifar10 has no test images.",
    },
}
_FIGURES: dict[str, Any] = {
    "images": _IMAGES,
    "dataset": {
        "default": "figures",
        "choices": ["figures"],
        "summary": "Drawn people among clutter, built in: a stand-in for person detection.",
    },
    "pixels": {
        "type": "int",
        "default": 96,
        "min": 32,
        "max": 224,
        "unit": "pixels",
        "summary": "Width and height of a picture; 96 as published.",
    },
}
_WORDS: dict[str, Any] = {
    "dataset": {
        "default": "words",
        "choices": ["words", "speech-commands", "speech-features"],
        "summary": "What to train on; all but the built-in synthetic words need DATA_DIR.",
    },
    "split": {
        "type": "str",
        "default": "official",
        "choices": ["official", "speakers"],
        "summary": "The dataset's own lists, or speakers drawn from whatever clips are there, nobody in two splits.",
    },
    "clips": {**_COUNT, "default": 2400, "min": 240, "unit": "clips", "summary": "Synthetic words to train on."},
}
_MACHINE: dict[str, Any] = {
    "dataset": {
        "default": "machine",
        "choices": ["machine"],
        "summary": "The sound of a machine, synthetic, built in: healthy to train on, with faults to test on.",
    },
    "clips": {**_COUNT, "default": 200, "min": 16, "unit": "clips", "summary": "Clips of two seconds to train on."},
}


def _recipe(width: int, epochs: int, batch: int, learning_rate: float) -> dict[str, Any]:
    return {"width": width, "epochs": epochs, "batch": batch, "learning_rate": learning_rate}


MODELS: dict[str, dict[str, Any]] = {
    "resnet8": {**_recipe(16, 10, 32, 0.004), **_SMALL_PICTURES},
    "resnet20": {**_recipe(16, 8, 32, 0.004), **_SMALL_PICTURES, "images": {**_IMAGES, "default": 1200}},
    "mobilenetv1": {**_recipe(8, 8, 32, 0.003), **_FIGURES, "images": {**_IMAGES, "default": 1500}},
    "mobilenetv2": {
        **_recipe(8, 8, 16, 0.003),
        **_SMALL_PICTURES,
        "images": {**_IMAGES, "default": 1500},
        "retrain_epochs": 2,
    },
    "dscnn": {**_recipe(64, 12, 64, 0.004), **_WORDS},
    "dae": {**_recipe(128, 20, 256, 0.002), **_MACHINE},
}
PARAMETERS: dict[str, dict[str, Any]] = {
    **OF_FLOATS,
    "quantise": {**OF_FLOATS["quantise"], "default": "ptq+qat"},
    "epochs": {"summary": "Epochs of the float network."},
    "width": {
        "type": "int",
        "min": 1,
        "max": 1024,
        "summary": "Channels of the first convolution, which all others grow with; of the autoencoder's layers.",
    },
}
