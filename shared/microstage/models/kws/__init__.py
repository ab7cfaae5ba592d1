"""Keyword spotting: one second of speech in, one of twelve classes out.

The multi-layer perceptron of the FINN and hls4ml submission to MLPerf Tiny v0.7 (open division): mel-frequency cepstra,
three hidden layers, weights and activations of three bits.
"""

from __future__ import annotations

from typing import Any

from microstage.models import FEED_FORWARD

__all__ = ["FORM", "MODELS", "PARAMETERS"]

FORM = FEED_FORWARD
MODELS: dict[str, dict[str, Any]] = {"kws-w3a3": {"weight_bits": 3, "act_bits": 3}}
_BITS = {"type": "int", "min": 2, "max": 8, "unit": "bits"}
PARAMETERS: dict[str, dict[str, Any]] = {
    "dataset": {
        "default": "words",
        "choices": ["words", "speech-commands", "speech-features"],
        "summary": "What to train on; all but the built-in synthetic words need DATA_DIR.",
    },
    "epochs": {"default": 20, "summary": "Epochs of quantisation-aware training; the published recipe has 1000."},
    "batch": {"default": 512, "unit": "clips", "summary": "Clips per step."},
    "learning_rate": {"default": 0.0005, "summary": "Adam's rate at the start; along a cosine to 1e-8."},
    "split": {
        "type": "str",
        "default": "official",
        "choices": ["official", "speakers"],
        "summary": "The dataset's own lists, or speakers drawn from whatever clips are there, nobody in two splits.",
    },
    "clips": {
        "type": "int",
        "default": 2400,
        "min": 240,
        "max": 1000000,
        "unit": "clips",
        "summary": "Synthetic words to train on.",
    },
    "noise_frequency": {
        "type": "float",
        "default": 0.8,
        "min": 0,
        "max": 1,
        "summary": "Share of the training clips that background noise is added to, drawn anew in every epoch.",
    },
    "noise_volume": {
        "type": "float",
        "default": 0.1,
        "min": 0,
        "max": 1,
        "summary": "Largest volume of that noise beside the word's own peak; uniform from 0.",
    },
    "hidden": {"type": "int", "default": 256, "min": 1, "max": 4096, "summary": "Width of each hidden layer."},
    "layers": {"type": "int", "default": 3, "min": 1, "max": 16, "summary": "Hidden layers."},
    "dropout": {
        "type": "float",
        "default": 0.1,
        "min": 0,
        "max": 0.9,
        "summary": "Share of activations that training drops.",
    },
    "input_bits": {**_BITS, "default": 8, "summary": "Features."},
    "weight_bits": {**_BITS, "default": 3, "summary": "Weights, symmetric: -3..3 for three bits."},
    "act_bits": {**_BITS, "default": 3, "summary": "Activations."},
}
