"""A level that differs is let pass within the computed distance of its decision boundary, and no farther."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from microstage_qcdq.graph.boundaries import boundaries
from microstage_qcdq.prove.ties import unexplained_levels, unexplained_values

U = 2.0**-24


def near_a_boundary(columns, away):
    """Return a product of four terms with many columns, quantised.

    It lies `away` roundings of one term from the boundary between 4 and 5.
    """
    x, w = np.array([[3, 5, 7, 11]], np.int8), np.ones((4, columns), np.int8)
    size = float(np.float32(0.1)) * float(np.float32(0.3)) * 26
    scale = size / 4.5 * (1 - away * U)
    constants = {"s": np.float32(0.1), "z": np.int8(0), "w": w, "ws": np.float32(0.3), "q": np.float64(scale)}
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "s", "z"], ["a"]),
        helper.make_node("DequantizeLinear", ["w", "ws", "z"], ["b"]),
        helper.make_node("MatMul", ["a", "b"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "q", "z"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.INT8, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.INT8, [1, columns])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    (boundary,) = boundaries("model", helper.make_model(graph))
    return boundary, {"x": x}


@pytest.mark.parametrize(("away", "explained"), [(8, True), (20, False), (300, False)])
def test_a_tie_is_as_near_as_the_products_of_one_output_allow(away, explained):
    """Four products: (4 + 4) roundings, those of the two factors, and one of the division.

    However many columns there are.
    """
    boundary, sources = near_a_boundary(400, away)
    five, four = np.full((1, 400), 5, np.int8), np.full((1, 400), 4, np.int8)
    assert unexplained_values(boundary, sources, five, four) == (0 if explained else 400)
    assert unexplained_values(boundary, sources, five, five) == 0
    assert unexplained_values(boundary, sources, five, np.full((1, 400), 6, np.int8)) == 400


@pytest.mark.parametrize(("away", "explained"), [(4, True), (6, False)])
def test_an_entry_is_a_tie_within_five_roundings(away, explained):
    value = np.array([2.5 * (1 + away * U)])
    assert unexplained_levels(value, 1.0, np.array([3]), np.array([2])) == (not explained)
