"""The make variables of a float network that is quantised: PARAMETERS of a family, and of a user's, begin with them."""

from __future__ import annotations

from typing import Any

__all__ = ["HELD_OUT", "PARAMETERS"]

HELD_OUT: dict[str, Any] = {"type": "int", "default": 500, "min": 10, "max": 30000, "unit": "images"}
"How many images of a dataset validate; a family adds its `summary`."

PARAMETERS: dict[str, dict[str, Any]] = {
    "quantise": {
        "type": "str",
        "default": "ptq",
        "choices": ["ptq", "qat", "ptq+qat"],
        "summary": "ptq calibrates the float network, corrects its biases and learns its roundings; qat calibrates and"
        " retrains it; ptq+qat corrects biases too, and leaves roundings to retraining.",
    },
    "target": {
        "type": "file",
        "default": "diana-digital",
        "choices": ["cmsis-nn", "diana-compat", "diana-digital", "finn", "fpgai", "tflite"],
        "suffix": ".json",
        "summary": "What the integers are for: widths, scales, rounding.",
    },
    "calibrate": {
        "type": "str",
        "default": "",
        "choices": ["", "best", "percentile", "max", "mse", "three-sigma"],
        "summary": "How scales are chosen; the target's own way by default.",
    },
    "float_weights": {
        "type": "file",
        "default": "",
        "summary": "Trained weights of the float network, .pth: it is not trained here.",
    },
    "retrain_epochs": {
        "type": "int",
        "default": 5,
        "min": 1,
        "max": 1000,
        "unit": "epochs",
        "summary": "Epochs of the quantised network, where QUANTISE has qat.",
    },
    "retrain_rate": {
        "type": "float",
        "default": 0.0005,
        "min": 0,
        "exclusive_min": True,
        "max": 1,
        "summary": "Adam's rate at the start of these.",
    },
}
