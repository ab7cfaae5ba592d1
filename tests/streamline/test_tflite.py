"""A .tflite file on the users' road: its integers are those of TensorFlow Lite Micro's reference kernels, every tensor, to the bit."""

import numpy as np
import pytest
from test_own_network import Own
from tflite_networks import NONE, RELU, RELU6, SAME, VALID, Network

import microstage_streamline.__main__ as stage
from microstage.integer import gemmlowp
from microstage_streamline.tflite import gate, rules


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "estimates_of", lambda *_: {"parts": {}, "not_estimated": "left out"})
    return Own(tmp_path)


def residual(seed: int) -> tuple[bytes, int]:
    """Convolutions with uneven pads, a scale for each channel and for all, a sum at two scales, pools, a dense layer; its operators."""
    net = Network(np.random.default_rng(seed))
    x = net.input([1, 9, 7, 3])
    x = net.conv(x, 6, strides=(2, 2), activation=RELU)
    y = net.depthwise(x, kernel=(3, 2), activation=RELU6, per_channel=seed % 2 == 0)
    y = net.conv(y, 6, kernel=(1, 1), per_channel=False, bias=seed % 3 > 0)
    y = net.two("ADD", x, y, activation=RELU)
    y = net.pool("MAX_POOL_2D", y, kernel=(2, 2), strides=(1, 1), padding=SAME)
    y = net.pool("AVERAGE_POOL_2D", y, kernel=(3, 2), strides=(2, 1), padding=VALID)
    size = int(np.prod(net.shape(y)))
    y = net.dense(net.reshape(y, [1, size]), 10, NONE, per_channel=seed % 2 == 1)
    return net.content(y), len(net.operators)


@pytest.mark.parametrize("seed", range(4))
def test_every_tensor_is_what_the_reference_kernels_make_of_it(own, seed):
    content, operators = residual(seed)
    assert own.run(content) == 0
    layers = own.metrics()["compared"]["layers"]
    assert layers["layers"] == operators and not layers["uncompared"] and layers["by"][0].startswith("TensorFlow Lite Micro")
    assert own.interface()["outputs"].popitem()[1]["zero_point"] != 0 or seed  # raw integers, as the file has them


def test_a_kernel_that_computes_otherwise_is_named(own, monkeypatch, capfd):
    monkeypatch.setattr(rules, "multiplier", lambda factor: (1 << 30, 1 + int(np.frexp(factor)[1])))
    assert own.run(residual(0)[0]) == 3
    assert "At CONV_2D -> t" in capfd.readouterr().err


def test_rounding_half_even_is_what_onnxruntime_computes(own):
    own.parameters["rounding"] = "half_even"
    assert own.run(residual(1)[0]) == 0
    assert own.metrics()["compared"]["layers"]["by"][0].startswith("onnxruntime")


def test_rounding_as_tflite_is_refused_for_an_onnx_file(own, capfd):
    from test_own_network import small

    own.parameters["rounding"] = "tflite"
    assert own.run(small().model()) == 2
    assert "ROUNDING=tflite is for a .tflite file" in capfd.readouterr().err


def test_damaged_files_are_one_sentence(own, capfd):
    content, rng = residual(0)[0], np.random.default_rng(0)
    pieces = [content[:end] for end in (9, 40, len(content) // 2, len(content) - 200)]
    for _ in range(30):
        broken = bytearray(content)
        for place in rng.integers(8, len(content), 6):
            broken[place] = rng.integers(0, 256)
        pieces.append(bytes(broken))
    for piece in pieces:
        code = own.run(piece)
        said = capfd.readouterr().err
        assert code in (0, 2, 3) and "Traceback" not in said and (code == 0) == (said.strip() == ""), said


def test_float_and_hybrid_files_are_refused_in_one_sentence(own, capfd):
    net = Network(np.random.default_rng(0))
    net.inputs.append(x := net.real([1, 4]))
    w = net.constant(np.ones((3, 4), np.int8), [0.1])
    y = net.add("FULLY_CONNECTED", [x, w], [net.real([1, 3])], "FullyConnectedOptions")
    assert own.run(net.content(y)) == 2
    assert "full integer quantisation" in capfd.readouterr().err


def test_an_unknown_operator_is_named_with_its_tensor(own, capfd):
    net = Network(np.random.default_rng(0))
    x = net.input([1, 4])
    y = net.add("L2_NORMALIZATION", [x], [net.like(x, [1, 4])])
    assert own.run(net.content(y)) == 2
    assert "L2_NORMALIZATION -> t1" in capfd.readouterr().err


def test_fixed_point_functions_are_near_the_real_ones():
    """To three units in the last place of an 8-bit fraction: what they are to the bit, the gate compares with the kernels."""
    x = np.linspace(-7.9, 7.9, 999)
    raw = np.rint(x * 2**27).astype(np.int64)
    assert np.abs(gemmlowp.logistic(raw) / 2**31 - 1 / (1 + np.exp(-x))).max() < 2**-20
    assert np.abs(gemmlowp.tanh(raw) / 2**31 - np.tanh(x)).max() < 2**-20
    assert gate._LEAST >= 8
