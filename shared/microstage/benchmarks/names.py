"""What can be asked for, without importing what computes it: the runner has the standard library alone."""

from __future__ import annotations

__all__ = ["HARMONIC", "MLPERF_TINY", "NETWORKS", "RIVALS", "WIDTHS"]

MLPERF_TINY = ("resnet8", "ds-cnn", "mobilenet", "autoencoder")
NETWORKS = (*MLPERF_TINY, "kws-w3a3", "cnv-binary")
WIDTHS = {8: "kws-w8a8", 4: "kws-w4a8", 3: "kws-w3a8", 1: "kws-w1a8"}  # one network by bits per weight
HARMONIC = "harmonic"  # from artefacts of the pipeline
RIVALS = ("onnxruntime", "litert", "tflm")
