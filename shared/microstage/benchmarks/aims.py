"""What the generated C is meant to reach: the ratio of a rival's median to ours, per network."""

from __future__ import annotations

__all__ = ["AIMS", "FASTEST", "aim"]

FASTEST = "fastest"  # of our variants, whichever that is in the run

# (our variant, rival): {network: how many times faster}; a rival's best form counts
AIMS: dict[tuple[str, str], dict[str, float]] = {
    ("C99", "tflm"): {"resnet8": 38, "ds-cnn": 28, "mobilenet": 13, "autoencoder": 16},
    ("C99 -mavx2", "tflm"): {"resnet8": 9},
    (FASTEST, "onnxruntime"): {"resnet8": 1.5, "ds-cnn": 1.7, "mobilenet": 2, "autoencoder": 6, "kws-w3a3": 5, "cnv-binary": 5, "harmonic": 5},
    (FASTEST, "litert"): {"resnet8": 1.0, "ds-cnn": 1.3, "mobilenet": 1.3, "autoencoder": 1.2},
}


def aim(variant: str, fastest: bool, rival: str, network: str) -> float | None:
    """The larger of what is aimed at for `variant` and, where it is our fastest, for that; None where nothing is."""
    keys = [variant, FASTEST] if fastest else [variant]
    found = [AIMS[key, rival][network] for key in keys if network in AIMS.get((key, rival), {})]
    return max(found, default=None)
