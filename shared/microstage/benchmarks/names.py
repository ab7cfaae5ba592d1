"""What can be asked for, without importing what computes it: the runner has the standard library alone."""

from __future__ import annotations

__all__ = ["HARMONIC", "MLPERF_TINY", "NETWORKS", "RIVALS"]

MLPERF_TINY = ("resnet8", "ds-cnn", "mobilenet", "autoencoder")
NETWORKS = (*MLPERF_TINY, "kws-w3a3", "cnv-binary")
HARMONIC = "harmonic"  # from artefacts of the pipeline
RIVALS = ("onnxruntime", "litert", "tflm")
