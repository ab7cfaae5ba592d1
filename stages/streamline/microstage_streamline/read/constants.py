"""Read the constants that a file stores: whole, finite, in a type that NumPy has."""

from __future__ import annotations

import math

import numpy as np
from onnx import TensorProto, numpy_helper

from microstage.errors import ModelError
from microstage.untrusted.exceptions import translated
from microstage.untrusted.limits import MOST_STORED
from microstage_streamline.graph.graph import Node
from microstage_streamline.read.narrow_types import HELD_IN

__all__ = ["constant", "taken_as_constant"]


def constant(tensor: TensorProto) -> np.ndarray:
    """Return the value of a stored tensor; `ModelError` for one that is damaged, too large, or no finite numbers."""
    size = math.prod(tensor.dims)
    if size > MOST_STORED:
        raise ModelError(f"Constant {tensor.name} says that it has {size} values; at most {MOST_STORED} can be read.")
    damaged = f"Constant {tensor.name} is damaged: its bytes are not those of its type and shape {list(tensor.dims)}."
    if min(tensor.dims, default=0) < 0:
        raise ModelError(damaged)
    with translated(lambda _: ModelError(damaged)):
        value = numpy_helper.to_array(tensor)
    value = value.astype(HELD_IN.get(tensor.data_type, value.dtype))
    if value.dtype.kind not in "biuf":
        expected = "integers, float16, float32 or float64"
        raise ModelError(f"Constant {tensor.name} holds {value.dtype}; expected {expected}: export it so.")
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise ModelError(f"Constant {tensor.name} holds a value that is not finite.")
    return value


def taken_as_constant(node: Node, constants: dict[str, np.ndarray]) -> bool:
    """Tell whether `node` is a Constant, which becomes one of `constants`."""
    if node.op != "Constant":
        return False
    ((kind, value),) = node.flags.items() if len(node.flags) == 1 else [("", None)]
    if isinstance(value, TensorProto):
        constants[node.output] = constant(value)
    elif kind in ("value_float", "value_int", "value_floats", "value_ints"):
        constants[node.output] = np.asarray(value, np.float32 if "float" in kind else np.int64)
    else:
        raise ModelError(f"{node} holds {kind.removeprefix('value_') or 'nothing'}; expected numbers.")
    return True
