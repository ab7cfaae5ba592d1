"""The integer reference: a small NumPy interpreter of quantised ONNX graphs. docs/numerics.md states its rules."""

from __future__ import annotations

from microstage.integer import arithmetic, fixed_point, functions, quantisers, shapes, tflite, windows  # noqa: F401  they register their operators
from microstage.integer.interpreter import Interpreter
from microstage.integer.tensor import QTensor, real

__all__ = ["Interpreter", "QTensor", "real"]
