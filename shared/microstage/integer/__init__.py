"""The integer reference: a small NumPy interpreter of quantised ONNX graphs. docs/numerics.md states its rules."""

from __future__ import annotations

from microstage.integer import arithmetic, fixed_point, functions, quantisers, shapes, tflite, windows
from microstage.integer.interpreter import Interpreter
from microstage.integer.registry import OPERATORS
from microstage.integer.tensor import QTensor, real

__all__ = ["Interpreter", "QTensor", "real"]

for module in (arithmetic, fixed_point, functions, quantisers, shapes, tflite, windows):
    OPERATORS.update(module.TABLE)
