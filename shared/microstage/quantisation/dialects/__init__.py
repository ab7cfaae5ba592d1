"""Integer networks as ONNX, in the dialects of several consumers."""

from microstage.quantisation.dialects.writing import write

__all__ = ["write"]
