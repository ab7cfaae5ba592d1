"""Files of a user's own."""

import numpy as np
import onnx
from onnx import helper, numpy_helper
from random_networks import Network

__all__ = ["annotated", "finn_onnx", "qdq", "small"]


def small():
    """Convolution, batch norm, pool, dense: of every form below."""
    net = Network([3, 6, 6], 3)
    net.conv(4, [3, 3], 1, [1, 1, 1, 1], 4, True, bias=True)
    net.norm()
    net.pool("MaxPool")
    net.activate(4, True)
    net.value, net.shape = net.add("Flatten", [net.value]), [36]
    net.dense(5, 4, False, False)
    return net


def qdq(nodes, constants, inputs, outputs, opset=13):
    kept = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "qdq", inputs, outputs, kept)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def annotated(model, **types):
    for name, text in types.items():
        pair = onnx.StringStringEntryProto(key="finn_datatype", value=text)
        model.graph.quantization_annotation.append(
            onnx.TensorAnnotation(tensor_name=name, quant_parameter_tensor_names=[pair])
        )
    return model


def finn_onnx(levels="UINT8"):
    """Integers annotated, binary weights as floats, thresholds with a scale, a scale at the end, the best class."""
    rng = np.random.Generator(np.random.PCG64(2))
    constants = {
        "w1": rng.choice([-1.0, 1.0], (12, 6)).astype(np.float32),
        "t1": np.sort(rng.normal(0, 300, (6, 1)).astype(np.float32), 1),
        "w2": rng.choice([-1.0, 1.0], (6, 4)).astype(np.float32),
        "s": np.float32(0.37),
        "o": np.float32(-1.5),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["a"]),
        helper.make_node(
            "MultiThreshold",
            ["a", "t1"],
            ["q"],
            domain="finn.custom_op.general",
            out_scale=2.0,
            out_bias=-1.0,
            out_dtype="BIPOLAR",
        ),
        helper.make_node("Mul", ["q", "s"], ["m"]),
        helper.make_node("MatMul", ["m", "w2"], ["b"]),
        helper.make_node("Add", ["b", "o"], ["y"]),
    ]
    model = qdq(
        nodes,
        constants,
        [helper.make_tensor_value_info("x", 1, [1, 12])],
        [helper.make_tensor_value_info("y", 1, [1, 4])],
    )
    return annotated(model, x=levels)
