"""Rows of thresholds that FINN's RTL would read from the wrong memories are filled up, and count the same."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from microstage.integer import Interpreter
from microstage_streamline.finn.fill_thresholds import FillThresholds


@pytest.mark.parametrize(
    ("kind", "levels", "bias", "filled"),
    [
        ("UINT8", 123, 43, 128),
        ("INT8", 100, -128, 128),
        ("INT8", 110, -120, 128),
        ("UINT8", 255, 0, 255),
        ("BINARY", 1, 0, 1),
    ],
)
def test_filled_rows_have_a_stage_for_each_bit_and_give_the_same(kind, levels, bias, filled):
    rows = np.sort(np.random.default_rng(levels).integers(-500, 500, (3, levels)), axis=1).astype(np.float32)
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in "xy")
    said = {"out_dtype": kind, "out_bias": float(bias), "out_scale": 1.0, "data_layout": "NC"}
    node = helper.make_node("MultiThreshold", ["x", "t"], ["y"], domain="qonnx.custom_op.general", **said)
    model = ModelWrapper(helper.make_model(helper.make_graph([node], "one", [x], [y])))
    model.set_initializer("t", rows)
    model.set_tensor_datatype("x", DataType["INT10"])
    given = {"x": np.tile(np.arange(-512, 512)[:, None], (1, 3))}
    before = Interpreter(model.model).run(given)["y"]
    after = model.transform(FillThresholds())
    assert after.get_initializer("t").shape == (3, filled)
    assert np.array_equal(Interpreter(after.model).run(given)["y"], before)
