"""What can be asked for, without importing what computes it: the runner has the standard library alone."""

from __future__ import annotations

__all__ = ["MLPERF_TINY", "NETWORKS", "RIVALS"]

MLPERF_TINY = ("resnet8", "ds-cnn", "mobilenet", "autoencoder")
NETWORKS = (*MLPERF_TINY, "kws-w3a3", "cnv-binary")
RIVALS = ("onnxruntime", "litert", "tflm")
