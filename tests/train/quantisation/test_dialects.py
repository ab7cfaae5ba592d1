"""Every dialect computes the very integers: its file is run by onnx's own reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from integers_of import integers_of
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from random_floats import random_pictures

from microstage.errors import ModelError, ParameterError
from microstage.quantisation import Target

_DOMAIN = "qonnx.custom_op.general"
_POWERS_UP = "diana-digital"
_REAL_UP = replace(Target.load("finn"), rounding="half-up")
_STATED = {
    "qonnx": [_POWERS_UP, "diana-compat", "finn", _REAL_UP, "tflite"],
    "qcdq": ["finn"],
    "finn": [_POWERS_UP, "diana-compat", "finn", _REAL_UP],
    "diana": [_POWERS_UP, "diana-compat"],
}


class Quant(OpRun):
    """QONNX's: clip, then round."""

    op_domain = _DOMAIN

    def _run(self, x, scale, zero, bits, signed=1, narrow=0, rounding_mode="ROUND"):
        low = (-(2 ** (bits - 1)) + narrow) if signed else 0
        high = 2 ** (bits - signed) - 1
        counted = np.clip(x / scale + zero, low, high)
        round_ = np.floor if rounding_mode == "FLOOR" else np.rint
        return (((round_(counted) - zero) * scale).astype(np.float32),)


class MultiThreshold(OpRun):
    """FINN's: how many thresholds of its channel a number reaches."""

    op_domain = _DOMAIN

    def _run(self, x, thresholds, out_bias=0.0, out_scale=1.0, out_dtype=""):
        shape = (1, len(thresholds), *[1] * (x.ndim - 2), thresholds.shape[1])
        reached = (x[..., None] >= thresholds.reshape(shape)).sum(-1)
        return ((reached * out_scale + out_bias).astype(np.float32),)


class QuantizeLinear(OpRun):
    """That of opset 13, which onnx's reference has not."""

    op_domain = ""

    def _run(self, x, scale, zero, **attributes):
        limits = np.iinfo(zero.dtype)
        return (np.clip(np.rint(x / scale) + zero, limits.min, limits.max).astype(zero.dtype),)


class DequantizeLinear(OpRun):
    """That of opset 13."""

    op_domain = ""

    def _run(self, x, scale, zero, axis=1, **attributes):
        shape = [-1 if place == axis and scale.ndim else 1 for place in range(x.ndim)]
        centred = x.astype(np.int64) - zero.astype(np.int64).reshape(shape)
        return ((centred * scale.reshape(shape)).astype(np.float32),)


@pytest.mark.parametrize(
    "dialect, target, seed",
    [(dialect, target, seed) for dialect, targets in _STATED.items() for seed, target in zip((0, 1, 0, 1, 0), targets)],
)
def test_a_dialect_computes_the_integers_that_lie_beside_it(tmp_path, dialect, target, seed):
    integer, pictures = integers_of(seed, target), random_pictures(seed + 50, 4)
    path = integer.export(tmp_path, dialect, pictures)
    written = {file.stem: np.load(file) for file in tmp_path.glob("*.npy")}
    values = integer.values(pictures)
    evaluator = ReferenceEvaluator(str(path), new_ops=[Quant, MultiThreshold, QuantizeLinear, DequantizeLinear])
    (found,) = evaluator.run(None, {evaluator.input_names[0]: written["input"]})
    levels = integer.levels[integer.output]
    unit = 1.0 if dialect in ("finn", "diana") else levels.scale
    zero = 0 if dialect in ("finn", "diana") else levels.zero
    assert (np.rint(found / unit) + zero == values[integer.output]).all()
    np.testing.assert_allclose(written["output"], found, atol=1e-6)
    requantised = [one.output for one in integer.operations if one.output in integer.levels][1:]
    assert (written["intermediate_0"] == values[requantised[0]]).all()


def test_what_a_dialect_cannot_state_is_refused_and_says_which_can(tmp_path):
    for target, dialect in ((_POWERS_UP, "qcdq"), ("tflite", "finn"), ("finn", "diana"), ("tflite", "qcdq")):
        with pytest.raises(ModelError, match="travels as qonnx"):
            integers_of(0, target).export(tmp_path / "none", dialect)
    with pytest.raises(ParameterError, match="dialect='tflite' is none of qonnx, qcdq, finn, diana"):
        integers_of(0, _POWERS_UP).export(tmp_path / "none", "tflite")
    assert not (tmp_path / "none").exists()


def test_halves_are_in_the_bias_where_only_the_requantiser_reads_it(tmp_path):
    model = onnx.load(str(integers_of(0, _POWERS_UP).export(tmp_path, "qonnx")))
    readers = {name: node for node in model.graph.node for name in node.input}
    raised = {node.input[0] for node in model.graph.node if node.output[0].endswith("_raised")}
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm") and readers[node.output[0]].op_type != "Relu":
            assert node.output[0] not in raised


def test_the_annotated_variant_says_how_many_bits(tmp_path):
    integers_of(0, _POWERS_UP).export(tmp_path, "diana")
    model = onnx.load(str(tmp_path / "model_annotated.onnx"))
    products = [node for node in model.graph.node if node.op_type in ("Conv", "Gemm")]
    bits = [{one.name: one.i for one in node.attribute if one.name.endswith("_bits")} for node in products]
    assert bits == [{"weight_bits": 8, "bias_bits": 32}] * len(products)
    assert {node.op_type for node in model.graph.node} <= {
        *(
            "Conv",
            "Gemm",
            "Add",
            "Div",
            "Floor",
            "Max",
            "Min",
            "GlobalAveragePool",
            "AveragePool",
            "MaxPool",
            "Reshape",
        ),
    }
