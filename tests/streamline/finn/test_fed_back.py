"""FINN-ONNX at unit scale, as FINN leaves it, and our own output given as ONNX= again: nothing is lost."""

import json

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from random_networks import Network
from stage_runs import StageOnFile
from user_files import annotated, qdq

from microstage_streamline import __main__ as stage
from microstage_streamline.finn.estimate import Estimated


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "estimated", lambda *_: Estimated.nothing("left out"))
    return StageOnFile(tmp_path)


def residual():
    """Narrow levels, signs, depthwise filters, a sum at two scales, a pool, a flattened image."""
    net = Network([3, 6, 6], 3)
    net.conv(4, [3, 3], 1, [1, 1, 1, 1], 4, True, bias=True)
    net.norm()
    net.activate(4, True)
    kept = net.value
    net.conv(1, [3, 3], 1, [1, 1, 1, 1], 4, True, depthwise=True)
    net.quantise(5, True, 0.1)
    net.value = net.add("Add", [net.value, kept])
    net.activate(4, True)
    net.pool("MaxPool")
    net.value, net.shape = net.add("Flatten", [net.value]), [36]
    net.dense(5, 4, False, False)
    return net


def binary():
    """Signs alone: products become counts of equal bits."""
    net = Network([12], 4)
    for width in (10, 8):
        net.quantise(1, True)
        net.dense(width, 1, False, False)
        net.norm()
    net.quantise(1, True)
    net.dense(5, 3, False, False)
    return net


def series():
    """A signal of one axis."""
    net = Network([3, 9], 5)
    net.conv(4, [3], 1, [1, 0], 4, True)
    net.activate(6, True)
    net.conv(6, [2], 2, [0, 0], 5, False)
    net.activate(3, True)
    return net


def structure(path) -> tuple:
    """Nodes and constants of an integer graph."""
    graph = onnx.load(str(path)).graph
    for node in graph.node:
        node.domain = node.domain or ""
    nodes = [(n.op_type, list(n.input), list(n.output), sorted(str(a) for a in n.attribute)) for n in graph.node]
    return nodes, {i.name: numpy_helper.to_array(i).tolist() for i in graph.initializer}


def vectors(own) -> dict:
    return {name: value for name, value in np.load(own.out / "golden.npz").items() if not name.startswith("real")}


@pytest.mark.parametrize("network", [residual, binary, series])
def test_what_was_written_is_read_again_as_the_same_integers_and_the_same_graph(network, own):
    assert own.run(network().model()) == 0
    first, said, made = own.out / "model_finn_streamlined.onnx", own.interface(), vectors(own)
    assert own.run(first.read_bytes(), **{name: made[name] for name in said["inputs"]}) == 0
    assert own.unresolved() == [] and structure(first) == structure(own.out / "model_finn_streamlined.onnx")
    for side in ("inputs", "outputs"):
        for name, tensor in said[side].items():
            same = {fact: tensor[fact] for fact in ("datatype", "range", "shape")}
            assert own.interface()[side][name] | same == own.interface()[side][name]
    again = vectors(own)
    assert all(np.array_equal(made[name], again[name]) for name in said["outputs"])


def finn(*, typed: bool, scale: float | None, bias: float | None, last: bool, windows: bool = False):
    """Thresholds that give 0..7 (and a bias), whole weights in floats, thresholds: a real input or one of integers."""
    rng = np.random.Generator(np.random.PCG64(7))
    flags = {name: value for name, value in (("out_scale", scale), ("out_bias", bias)) if value is not None}
    spaced = (np.arange(7, dtype=np.float32) - 3)[None] * (5 if typed else np.float32(0.3))
    constants = {"t": spaced, "w": rng.integers(-4, 5, (18 if windows else 8, 5)).astype(np.float32)}
    constants["u"] = np.sort(rng.integers(-60, 60, (5, 3)), axis=1).astype(np.float32)
    domain = "finn.custom_op.general"
    flags |= {"out_dtype": "INT4", "data_layout": "NHWC" if windows else "NC"}
    nodes = [helper.make_node("MultiThreshold", ["x", "t"], ["q"], domain=domain, **flags)]
    if windows:
        window = {
            "kernel_size": [3, 3],
            "stride": [1, 1],
            "pad_amount": [0] * 4,
            "input_shape": "(1,5,5,2)",
            "depthwise": 0,
        }
        nodes.append(helper.make_node("Im2Col", ["q"], ["c"], domain=domain, **window))
    nodes.append(helper.make_node("MatMul", ["c" if windows else "q", "w"], ["a"]))
    if last:
        flags = {"out_dtype": "UINT2", "data_layout": flags["data_layout"]}
        nodes.append(helper.make_node("MultiThreshold", ["a", "u"], ["y"], domain=domain, **flags))
    else:
        nodes[-1].output[0] = "y"
    shape = [1, 5, 5, 2] if windows else [1, 8]
    model = qdq(
        nodes, constants, [helper.make_tensor_value_info("x", 1, shape)], [helper.make_tensor_value_info("y", 1, None)]
    )
    return annotated(model, x="INT6") if typed else model


def halves(text: str):
    """(x + 1) / 2 of annotated integers in front of quantised weights."""
    constants = {"one": np.float32(1), "two": np.float32(2), "w": np.float32([[3, -2], [1, 4], [-1, 0]])}
    steps = [("Add", "x", "one", "a"), ("Div", "a", "two", "h"), ("MatMul", "h", "w", "y")]
    nodes = [helper.make_node(op, [source, other], [made]) for op, source, other, made in steps]
    border = [helper.make_tensor_value_info("x", 1, [1, 3])], [helper.make_tensor_value_info("y", 1, [1, 2])]
    return annotated(qdq(nodes, constants, *border), x=text)


@pytest.mark.parametrize("typed", [True, False])
def test_finn_onnx_at_unit_scale_is_integer_from_border_to_border(typed, own):
    for scale, bias in ((None, None), (1.0, 0.0), (1.0, -4.0), (2.0, -7.0)):
        for last, windows in ((True, False), (False, False), (True, True)):
            assert own.run(finn(typed=typed, scale=scale, bias=bias, last=last, windows=windows)) == 0, (
                scale,
                bias,
                last,
            )
            assert own.unresolved() == [] and own.metrics()["compared"]["the file"]["y"]["levels_differing"] == 0
            said = own.interface()["inputs"]["x"]
            assert (said["scale"], said["zero_point"]) == (
                (1.0, 0) if typed else (pytest.approx(0.3 / (scale or 1)), 0)
            )
    for text in ("BIPOLAR", "BINARY", "INT4"):
        assert own.run(halves(text)) == 0 and own.unresolved() == []
        assert own.interface()["outputs"]["y"]["scale"] == 0.5


def test_thresholds_of_a_real_input_that_no_scale_stands_for_are_refused(own, capfd):
    model = finn(typed=False, scale=1.0, bias=0.0, last=True)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.float32([[-3, -2, -1, 0, 1, 2, 30]]), "t"))
    assert own.run(model) == 2
    said = capfd.readouterr().err
    assert "spaced unevenly" in said and "annotate the input" in said and json.dumps(said).count("Traceback") == 0
