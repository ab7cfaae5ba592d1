"""List the operators that are read beside ONNX's own, and refuse nodes that are none, or not as they should be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx

from microstage.errors import ModelError
from microstage.untrusted.exceptions import translated
from microstage.untrusted.limits import LONGEST_NAME
from microstage_streamline.read.opset import OLDEST

__all__ = ["CUSTOM", "QUANTISERS", "QUANTISING", "assert_known", "assert_windows", "where"]

_CHECKED = 10  # the IR number that nodes are checked by, whichever the file has
# Operators of qonnx, FINN and brevitas, whatever domain a file keeps them in (the empty one included).
QUANTISERS = ("Quant", "IntQuant", "BipolarQuant", "MultiThreshold", "Trunc", "FloatQuant")
QUANTISING = ("QuantizeLinear", *QUANTISERS)
_MICROSOFT = (
    "QLinearAdd",
    "QLinearMul",
    "QLinearConcat",
    "QLinearWhere",
    "QLinearAveragePool",
    "QLinearGlobalAveragePool",
    "QLinearReduceMean",
    "QLinearLeakyRelu",
    "QLinearSigmoid",
    "QLinearSoftmax",
    "QGemm",
    "FastGelu",
    "QuickGelu",
)
CUSTOM = (*QUANTISERS, "XnorPopcountMatMul", "Im2Col", "MaxPoolNHWC", "QuantAvgPool2d", *_MICROSOFT)
_DOMAINS = (
    "",
    "ai.onnx",
    "onnx.brevitas",
    "qonnx.custom_op.general",
    "qonnx.custom_op.channels_last",
    "finn.custom_op.general",
    "finn",
    "com.microsoft",
)
_COUNTS = (
    "blocksize",
    "dilations",
    "group",
    "kernel",
    "kernel_shape",
    "kernel_size",
    "num_outputs",
    "size",
    "stride",
    "strides",
)
_MARGINS = ("output_padding", "pad_amount", "pads")
_LONGEST_STEP = 2**31 - 1  # of 32 bits, as in C


def where(proto: onnx.NodeProto, place: int) -> str:
    """Return what a person calls the node at `place`."""
    return proto.name or f"node {place}"


def assert_known(proto: onnx.NodeProto, place: int, opset: int) -> None:
    """Raise `ModelError` for a node that is no operator of ONNX, qonnx or FINN, or not as its opset has it."""
    name = where(proto, place)
    if not all(map(_is_printable, (name, *proto.input, *proto.output))):
        raise ModelError(f"Node {place} has a name that cannot be printed on one line.")
    if proto.domain not in _DOMAINS or not (proto.op_type in CUSTOM or onnx.defs.has(proto.op_type)):
        named = f"{proto.domain}.{proto.op_type}" if proto.domain else proto.op_type
        raise ModelError(f"{name} is {named}, which is no operator of ONNX, qonnx or FINN that is known here.")
    inner = [a.g for a in proto.attribute if a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)]
    if inner and (proto.op_type != "If" or opset < OLDEST):
        raise ModelError(
            f"{name} is {proto.op_type}, a graph inside the graph; unroll loops and branches before the export."
        )
    for graph in inner:
        for number, node in enumerate(graph.node):
            assert_known(node, number, opset)
    if proto.domain in ("", "ai.onnx") and proto.op_type not in CUSTOM and not inner:
        _as_the_standard_says(proto, name, opset)
    if not proto.output or not proto.output[0]:
        raise ModelError(f"{name} ({proto.op_type}) has no output.")


def _is_printable(name: Any) -> bool:
    return isinstance(name, str) and name.isprintable() and len(name) <= LONGEST_NAME


def assert_windows(proto: onnx.NodeProto, name: str, flags: Mapping[str, Any]) -> None:
    """Refuse windows and steps of no size: onnx and onnxruntime divide by them and end the process."""
    least = dict.fromkeys(_COUNTS, 1) | ({} if proto.op_type == "Pad" else dict.fromkeys(_MARGINS, 0))
    for flag in least.keys() & flags.keys():
        found = np.atleast_1d(flags[flag])
        if found.dtype.kind not in "iu" or not np.all((found >= least[flag]) & (found <= _LONGEST_STEP)):
            said = f"{name} ({proto.op_type}) has {flag} {np.asarray(flags[flag]).tolist()}"
            raise ModelError(f"{said}; expected whole numbers from {least[flag]} to {_LONGEST_STEP}.")


def _as_the_standard_says(proto: onnx.NodeProto, name: str, opset: int) -> None:
    context = onnx.checker.C.CheckerContext()
    context.ir_version, context.opset_imports = _CHECKED, {"": opset}
    with translated(lambda said: ModelError(f"{name} ({proto.op_type}) is not as opset {opset} has it: {said}.")):
        onnx.checker.check_node(proto, context)
