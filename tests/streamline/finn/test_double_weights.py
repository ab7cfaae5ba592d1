"""Weights of 0 and 1, which FINN writes no C++ for, are doubled with their thresholds, and count the same."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from microstage.integer import Interpreter
from microstage_streamline.finn.double_weights import DoubleWeights


@pytest.mark.parametrize(
    ("low", "high", "doubled"), [(0, 1, "UINT2"), (-1, 1, None), (0, 2, None), (0, 1, "asked for as it is")]
)
def test_weights_of_0_and_1_are_doubled_where_only_thresholds_read_their_sums(low, high, doubled):
    rng = np.random.default_rng(high - low)
    weights = rng.integers(low, high, (6, 3), endpoint=True).astype(np.float32)
    rows = np.sort(rng.integers(-300, 300, (3, 15)), axis=1).astype(np.float32)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size]) for name, size in (("x", 6), ("y", 3))]
    answers = ends[1:] + (
        [helper.make_tensor_value_info("sums", TensorProto.FLOAT, [1, 3])] if doubled and doubled != "UINT2" else []
    )
    said = {"out_dtype": "UINT4", "out_bias": 0.0, "out_scale": 1.0, "data_layout": "NC"}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["sums"]),
        helper.make_node("MultiThreshold", ["sums", "t"], ["y"], domain="qonnx.custom_op.general", **said),
    ]
    model = ModelWrapper(helper.make_model(helper.make_graph(nodes, "one", ends[:1], answers)))
    for name, values in (("w", weights), ("t", rows)):
        model.set_initializer(name, values)
    for name, kind in (("x", "INT8"), ("sums", "INT11"), ("w", "INT3"), ("t", "INT10")):
        model.set_tensor_datatype(name, DataType[kind])
    given = {"x": rng.integers(-128, 128, (200, 6))}
    before = Interpreter(model.model).run(given)["y"]
    after = model.transform(DoubleWeights())
    assert (after.get_tensor_datatype("w").name == "UINT2") == (doubled == "UINT2")
    assert np.array_equal(after.get_initializer("w"), weights * (1 + (doubled == "UINT2")))
    assert np.array_equal(Interpreter(after.model).run(given)["y"], before)
