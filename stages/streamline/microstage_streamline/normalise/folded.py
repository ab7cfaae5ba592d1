"""Fold constants that an operator makes of constants, by onnx's own reference evaluator and in the file's own types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from microstage.errors import ModelError
from microstage.integer import QTensor, real
from microstage.untrusted.exceptions import translated
from microstage_streamline.graph.graph import Node

__all__ = ["folded"]


def folded(node: Node, constants: Mapping[str, Any], opset: int) -> dict[str, np.ndarray]:
    """Return the outputs of an operator of ONNX on `constants`, by name; `ModelError` for what onnx cannot evaluate, or
    is no number.

    Precondition: they are of modest size (graph.sizes).
    """
    names = list(dict.fromkeys(filter(None, node.inputs)))
    outputs = [name for name in node.outputs if name]
    graph = helper.make_graph(
        [node.proto()],
        "constants",
        [],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(_as_stored(constants[name]), name) for name in names],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    said = f"{node.op} of constants cannot be evaluated"
    with translated(lambda reason: ModelError(f"{said}: {reason}")), np.errstate(all="ignore"):
        found = ReferenceEvaluator(model).run(None, {})
    values = {name: np.asarray(value) for name, value in zip(outputs, found)}
    if not all(_is_number(value) for value in values.values()):
        raise ModelError(f"{node.op} of constants gives what is no number")
    return values


def _is_number(value: np.ndarray) -> bool:
    return value.dtype.kind in "biu" or value.dtype.kind == "f" and not np.isnan(value).any()


def _as_stored(value: Any) -> np.ndarray:
    """Return a constant as the file has it; the dequantised integers of one are float32, rounded once."""
    return real(value).astype(np.float32) if isinstance(value, QTensor) else np.asarray(value)
