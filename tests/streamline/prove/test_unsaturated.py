"""Products of bytes, whose sums onnxruntime holds in 16 bits where the processor has AVX2 alone."""

import itertools

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from microstage_streamline.prove.unsaturated import unsaturated

BYTES = (np.uint8, np.int8)


def run(nodes, constants, fed):
    kinds = {name: value.dtype for name, value in {**constants, **fed}.items()}
    nodes = unsaturated(nodes, kinds)
    inputs = [
        helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for n, v in fed.items()
    ]
    kept = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "products", inputs, [onnx.ValueInfoProto(name="y")], kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return nodes, onnxruntime.InferenceSession(model.SerializeToString()).run(["y"], fed)[0]


@pytest.mark.parametrize("op", ["MatMulInteger", "ConvInteger"])
@pytest.mark.parametrize("zeros", ["stored", "left out"])
@pytest.mark.parametrize("moved", [False, True])
def test_the_largest_products_are_summed_in_full(op, zeros, moved):
    for a, b in itertools.product(BYTES, BYTES):
        shapes = ((6, 40), (40, 5)) if op == "MatMulInteger" else ((2, 4, 6, 6), (5, 4, 3, 3))
        x, w = (np.full(shape, np.iinfo(kind).max, kind) for shape, kind in zip(shapes, (a, b)))
        w.flat[::7] = np.iinfo(b).min
        stored = {"w": w} | ({"xz": a(3), "wz": b(5)} if zeros == "stored" else {})
        product = helper.make_node(op, ["m" if moved else "x", "w", *list(stored)[1:]], ["y"])
        nodes, found = run([helper.make_node("Identity", ["x"], ["m"])] * moved + [product], stored, {"x": x})
        xi, wi = x.astype(int) - int(stored.get("xz", 0)), w.astype(int) - int(stored.get("wz", 0))
        if op == "ConvInteger":
            windows = np.lib.stride_tricks.sliding_window_view(xi, (3, 3), (2, 3))
            assert np.array_equal(found, np.einsum("nchwij,ocij->nohw", windows, wi))
        else:
            assert np.array_equal(found, xi @ wi)
        (made,) = [node for node in nodes if node.op_type == op]
        raised = [name not in ("x", "m", "w") for name in made.input[:2]]
        assert raised == [(a, b) == (np.int8, np.uint8), (a, b) == (np.uint8, np.int8)]
