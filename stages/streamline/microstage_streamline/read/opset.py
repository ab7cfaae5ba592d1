"""Raise files of old opsets to the oldest that has the forms of today."""

from __future__ import annotations

import onnx
from onnx import version_converter

from microstage.errors import ModelError
from microstage.untrusted.exceptions import translated

__all__ = ["OLDEST", "raised"]

OLDEST = 13  # below it, axes, limits, pads and sizes are attributes where they are inputs now
_AS_CUSTOM = "qonnx.custom_op.general"


def raised(model: onnx.ModelProto, opset: int, custom: tuple[str, ...]) -> onnx.ModelProto:
    """Return `model`, of `opset`, in opset 13 at least, by onnx's own converter: the same tensors by the same names.

    `custom` operators are not of ONNX, whatever domain the file keeps them in. `ModelError` where onnx has no way.
    """
    if opset >= OLDEST:
        return model
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    copy.ir_version = 8  # constants need not be inputs; the number says nothing of operators
    for place, node in enumerate(copy.graph.node):
        node.name = node.name or f"node {place}"
        node.domain = _AS_CUSTOM if node.op_type in custom else node.domain
    others = dict.fromkeys(
        [_AS_CUSTOM, *(node.domain for node in copy.graph.node if node.domain not in ("", "ai.onnx"))], 1
    )
    del copy.opset_import[:]
    copy.opset_import.extend(
        onnx.helper.make_opsetid(domain, version) for domain, version in {"": opset, **others}.items()
    )
    refused = (
        f"The model is written in opset {opset}, which onnx cannot bring to {OLDEST}; export it with {OLDEST} or later"
    )
    with translated(lambda reason: ModelError(f"{refused} ({reason}).")):
        found = version_converter.convert_version(copy, OLDEST)
    found.graph.quantization_annotation.extend(model.graph.quantization_annotation)  # which the converter drops
    return found
