"""Harmonic estimation: a window of current or voltage in, the amplitudes of harmonics 1, 3, 5 and 7 out."""

from __future__ import annotations

from typing import Any

from microstage.models import RECURRENT

__all__ = ["FORM", "MODELS", "PARAMETERS"]

FORM = RECURRENT
MODELS: dict[str, dict[str, Any]] = {"harmonic": {}}
PARAMETERS: dict[str, dict[str, Any]] = {
    "dataset": {
        "default": "generator",
        "choices": ["generator", "ev-cpw", "recordings"],
        "summary": "What to train on; all but the built-in generator need DATA_DIR.",
    },
    "epochs": {"default": 2},
    "batch": {"default": 128, "unit": "sequences"},
    "learning_rate": {
        "default": 0.003,
        "summary": "Adam's rate at first; a twentieth of it in the quantised epochs; cosine to zero.",
    },
    "case": {
        "type": "str",
        "default": "mix",
        "choices": ["mix", "A1", "A2"],
        "summary": "Waveforms of the generator: a mix of loads, or a published case.",
    },
    "synthetic": {
        "type": "float",
        "default": 0.5,
        "min": 0,
        "max": 1,
        "summary": "Share of generated windows among the training windows of a recorded dataset.",
    },
    "fold": {"type": "int", "default": 0, "min": 0, "max": 3, "summary": "Which quarter of the sources is the test."},
    "channel": {"type": "str", "default": "current", "choices": ["current", "voltage"], "summary": "What is measured."},
    "frequency": {
        "type": "int",
        "default": 60,
        "choices": [50, 60],
        "unit": "Hz",
        "summary": "Mains frequency of the recordings.",
    },
    "window_bits": {
        "type": "int",
        "default": 12,
        "min": 8,
        "max": 12,
        "unit": "bits",
        "summary": "Integers of a window, in block floating point.",
    },
    "windows": {
        "type": "int",
        "default": 65536,
        "min": 256,
        "max": 10000000,
        "summary": "Training windows per epoch, drawn anew for each, in sequences of 16.",
    },
    "warmup_epochs": {
        "type": "int",
        "default": 36,
        "min": 0,
        "max": 10000,
        "unit": "epochs",
        "summary": "Epochs of the float twin before quantisation.",
    },
    "cycles": {
        "type": "float",
        "default": 0.5,
        "min": 0,
        "exclusive_min": True,
        "max": 4,
        "unit": "cycles",
        "summary": "Length of the window.",
    },
    "cnn_channels": {
        "type": "int",
        "default": 80,
        "min": 1,
        "max": 1024,
        "summary": "Channels of the first convolution.",
    },
    "cnn_features": {"type": "int", "default": 32, "min": 1, "max": 1024, "summary": "Channels of the second one."},
    "cnn_kernel": {
        "type": "int",
        "default": 32,
        "min": 1,
        "max": 64,
        "unit": "samples",
        "summary": "Kernel of the first convolution, twice its stride; the whole step, if that is shorter.",
    },
    "hidden": {"type": "int", "default": 48, "min": 1, "max": 1024, "summary": "Width of the LSTM."},
    "head_width": {
        "type": "int",
        "default": 64,
        "min": 1,
        "max": 4096,
        "summary": "Hidden width of each of the four heads.",
    },
    "cnn_weight_bits": {
        "type": "int",
        "default": 8,
        "min": 2,
        "max": 8,
        "unit": "bits",
        "summary": "Weights of the CNN.",
    },
    "cnn_act_bits": {
        "type": "int",
        "default": 8,
        "min": 2,
        "max": 8,
        "unit": "bits",
        "summary": "Activations between the two convolutions.",
    },
    "lstm_weight_bits": {
        "type": "int",
        "default": 8,
        "min": 2,
        "max": 8,
        "unit": "bits",
        "summary": "Weights of the LSTM, one scale per gate.",
    },
    "lstm_io_bits": {
        "type": "int",
        "default": 8,
        "min": 2,
        "max": 8,
        "unit": "bits",
        "summary": "Features into the LSTM, and its output h: one scale.",
    },
    "lstm_acc_bits": {
        "type": "int",
        "default": 8,
        "min": 2,
        "max": 8,
        "unit": "bits",
        "summary": "Gate sums before sigmoid and tanh.",
    },
    "lstm_sigmoid_bits": {
        "type": "int",
        "default": 8,
        "min": 2,
        "max": 8,
        "unit": "bits",
        "summary": "Outputs of the sigmoids.",
    },
    "lstm_tanh_bits": {
        "type": "int",
        "default": 8,
        "min": 2,
        "max": 8,
        "unit": "bits",
        "summary": "Outputs of the tanhs.",
    },
    "lstm_state_bits": {
        "type": "int",
        "default": 8,
        "min": 2,
        "max": 8,
        "unit": "bits",
        "summary": "The cell state c.",
    },
    "head_weight_bits": {
        "type": "int",
        "default": 8,
        "min": 2,
        "max": 8,
        "unit": "bits",
        "summary": "Weights of the heads.",
    },
    "head_act_bits": {
        "type": "int",
        "default": 8,
        "min": 2,
        "max": 8,
        "unit": "bits",
        "summary": "Activations inside the heads.",
    },
}
