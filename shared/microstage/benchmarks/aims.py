"""What the generated C is meant to reach: the ratio of a rival's median to ours, per network."""

from __future__ import annotations

__all__ = ["AIMS"]

# (our variant, rival): {network: how many times faster}; a rival's best form counts
AIMS: dict[tuple[str, str], dict[str, float]] = {
    ("C99", "tflm"): {"resnet8": 38, "ds-cnn": 28, "mobilenet": 13, "autoencoder": 16},
    ("C99 -mavx2", "tflm"): {"resnet8": 9},
    ("vector", "onnxruntime"): {"resnet8": 1.5, "ds-cnn": 1.7, "mobilenet": 2, "autoencoder": 6, "kws-w3a3": 5, "cnv-binary": 5, "harmonic": 5},
    ("vector", "litert"): {"resnet8": 1.0, "ds-cnn": 1.3, "mobilenet": 1.3, "autoencoder": 1.2},
}
