"""qonnx itself reads the exported file: its quantisers under their names, and its CNN up to the LSTM's features."""

import numpy as np
import onnx
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes
from stage_runs import FIXTURES

EXPORT = FIXTURES / "export"


def upstream_cnn(whole: ModelWrapper) -> ModelWrapper:
    """What computes `features`; qonnx has no meaning for the QuantLSTMCell behind it."""
    nodes = list(whole.graph.node)
    nodes = nodes[: nodes.index(whole.find_producer("features")) + 1]
    read = {name for node in nodes for name in node.input}
    output = onnx.helper.make_tensor_value_info("features", onnx.TensorProto.FLOAT, None)
    constants = [i for i in whole.graph.initializer if i.name in read]
    graph = onnx.helper.make_graph(nodes, "cnn", list(whole.graph.input), [output], constants)
    return ModelWrapper(
        onnx.helper.make_model(graph, opset_imports=whole.model.opset_import, ir_version=whole.model.ir_version)
    )


def test_qonnx_reads_the_export_and_computes_its_features():
    whole = ModelWrapper(str(EXPORT / "brevitas_export_model.onnx"))
    assert [whole.find_producer(name).op_type for name in ("cnn.act1", "features", "lstm.sequence")] == [
        "Quant",
        "Quant",
        "QuantLSTMCell",
    ]
    cnn = upstream_cnn(whole).transform(InferShapes())
    golden, scale = np.load(EXPORT / "golden.npz"), float(cnn.get_initializer("features.scale"))
    assert cnn.get_tensor_shape("features") == [1, 1, golden["features"].shape[-1]]
    given = {value.name: np.zeros(cnn.get_tensor_shape(value.name), np.float32) for value in cnn.graph.input}
    before, compared = cnn.find_producer("features").input[0], 0
    for window, expected in list(zip(golden["window"][:, 0], golden["features"][:, 0]))[
        ::4
    ]:  # first steps, from states of zero
        fed = {**given, "window": window.reshape(given["window"].shape) * np.float32(2.0**-11)}
        values = execute_onnx(cnn, fed, return_full_exec_context=True)
        level = values[before].reshape(-1) / scale
        clear = (
            np.abs(level - np.floor(level) - 0.5) > 1e-3
        )  # float sums may fall either way at a tie; `qcdq` proves those
        assert np.array_equal(np.rint(values["features"].reshape(-1) / scale)[clear], expected.reshape(-1)[clear])
        compared += clear.sum()
    assert compared > 100
