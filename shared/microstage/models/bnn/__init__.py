"""Binary and ternary image classifiers: the BNN-PYNQ networks TFC, SFC and LFC (MNIST) and CNV (CIFAR-10).

`1w2a` is weights of one bit and activations of two. One bit is -1 or 1, two bits are -1, 0 or 1.
"""

from __future__ import annotations

from typing import Any

from microstage.models import FEED_FORWARD

__all__ = ["FORM", "MODELS", "PARAMETERS"]

FORM = FEED_FORWARD
_WIDTHS = ((1, 1), (1, 2), (2, 2))  # bits of weights, of activations
_FULLY_CONNECTED = {"tfc": 64, "sfc": 256, "lfc": 1024}
# Recipes that reach the published accuracies in minutes.
# The published one is what PARAMETERS says, for 1000 epochs (1w1a) or 500.
_MOVED: dict[str, Any] = {"epochs": 80, "dropout": 0.05, "learning_rate": 0.01, "halvings": 8.0, "shift": 1}
_RECIPES: dict[str, dict[str, Any]] = {
    "tfc-1w1a": {"dropout": 0.05},
    "tfc-1w2a": {"dropout": 0.05},
    "tfc-2w2a": {"dropout": 0.05},
    "sfc-1w1a": {"epochs": 120, "dropout": 0.05, "shift": 1},
    "sfc-1w2a": _MOVED,
    "sfc-2w2a": _MOVED,
    "lfc-1w1a": {"dropout": 0.05, "shift": 1},
    "lfc-1w2a": {"dropout": 0.05, "shift": 1},
}
_CNV: dict[str, Any] = {"width": 64, "input_bits": 8, "dropout": 0.0, "epochs": 10, "held_out": 500, "shift": 4}


def _models() -> dict[str, dict[str, Any]]:
    """Return MODEL= and its own defaults.

    A fully connected network takes its image at the width of its activations.
    """
    bits = {f"{w}w{a}a": {"weight_bits": w, "act_bits": a} for w, a in _WIDTHS}
    dense = {
        f"{name}-{b}": {"width": width, **own, "input_bits": own["act_bits"], **_RECIPES[f"{name}-{b}"]}
        for name, width in _FULLY_CONNECTED.items()
        for b, own in bits.items()
        if f"{name}-{b}" in _RECIPES
    }
    return {**dense, **{f"cnv-{b}": {**_CNV, **own} for b, own in bits.items()}}


MODELS = _models()
PARAMETERS: dict[str, dict[str, Any]] = {
    "dataset": {
        "default": "glyphs",
        "choices": ["glyphs", "mnist", "cifar10"],
        "summary": (
            "What to train on; all but the built-in synthetic glyphs need DATA_DIR. "
            "CNV takes cifar10, the others mnist."
        ),
    },
    "epochs": {
        "default": 60,
        "summary": "Epochs of quantisation-aware training; the published recipe has 1000 for 1w1a, 500 for the others.",
    },
    "batch": {"default": 100, "unit": "images", "summary": "Images per step."},
    "learning_rate": {"default": 0.02, "summary": "Adam's rate at the start."},
    "halvings": {
        "type": "float",
        "default": 12.5,
        "min": 0,
        "max": 60,
        "summary": (
            "How often the rate halves, in equal steps over the whole training: every 40 of 500 epochs as published."
        ),
    },
    "shift": {
        "type": "int",
        "default": 0,
        "min": 0,
        "max": 8,
        "unit": "pixels",
        "summary": (
            "How far a training image may move either way, black moving in; "
            "as published 4 for photographs, which are mirrored too, else 0."
        ),
    },
    "held_out": {
        "type": "int",
        "default": 5000,
        "min": 10,
        "max": 30000,
        "unit": "images",
        "summary": "Training images that validate.",
    },
    "images": {
        "type": "int",
        "default": 4000,
        "min": 100,
        "max": 1000000,
        "unit": "images",
        "summary": "Synthetic glyphs, those that validate included.",
    },
    "width": {
        "type": "int",
        "default": 64,
        "min": 1,
        "max": 2048,
        "summary": "Width of each hidden layer; of CNV's first convolution.",
    },
    "dropout": {
        "type": "float",
        "default": 0.2,
        "min": 0,
        "max": 0.9,
        "summary": "Share of the activations, pixels included, that training drops.",
    },
    "weight_bits": {"type": "int", "default": 1, "min": 1, "max": 2, "unit": "bits", "summary": "Weights."},
    "act_bits": {"type": "int", "default": 1, "min": 1, "max": 2, "unit": "bits", "summary": "Activations."},
    "input_bits": {
        "type": "int",
        "default": 1,
        "min": 1,
        "max": 8,
        "unit": "bits",
        "summary": "Pixels, as the first layer sees them.",
    },
}
