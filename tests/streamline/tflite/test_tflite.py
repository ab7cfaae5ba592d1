"""A .tflite file on the users' road: its integers are those of TensorFlow Lite Micro's reference kernels, every tensor,
to the bit.
"""

import json

import numpy as np
import pytest
from stage_runs import StageOnFile
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema
from tflite_networks import Network, everyday, residual, sixteen, unaligned

import microstage_streamline.__main__ as stage
from microstage.integer import gemmlowp
from microstage_streamline.finn.estimate import Estimated
from microstage_streamline.tflite import rules


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "estimated", lambda *_: Estimated.nothing("left out"))
    return StageOnFile(tmp_path)


CASES = [
    (residual, 0),
    (residual, 1),
    (residual, 2),
    (everyday, 0),
    (everyday, 1),
    (sixteen, 0),
    (sixteen, 1),
    (unaligned, 0),
]


@pytest.mark.parametrize(("written", "seed"), CASES)
def test_every_tensor_is_what_the_reference_kernels_make_of_it(own, written, seed):
    content, tensors = written(seed)
    assert own.run(content) == 0
    layers = own.metrics()["compared"]["layers"]
    assert (
        layers["layers"] == tensors and not layers["uncompared"] and layers["by"][0].startswith("TensorFlow Lite Micro")
    )


def test_a_kernel_that_computes_otherwise_is_named(own, monkeypatch, capfd):
    monkeypatch.setattr(rules, "multiplier", lambda factor: (1 << 30, 1 + int(np.frexp(factor)[1])))
    assert own.run(residual(0)[0]) == 3
    assert "At CONV_2D -> t" in capfd.readouterr().err


def test_inputs_and_outputs_are_the_files_own_integers(own):
    assert own.run(residual(0)[0]) == 0
    (said,) = json.loads((own.out / "interface.json").read_text())["parts"].values()
    assert said["inputs"]["t0"]["range"] == [-128, 127]
    (softmax,) = said["outputs"].values()
    assert (softmax["scale"], softmax["zero_point"], softmax["range"]) == (1 / 256, -128, [-128, 127])


def test_real_ends_are_scale_and_zero_point_and_golden_vectors_are_the_files_own(own):
    net = Network(rng := np.random.default_rng(3))
    net.inputs.append(real := net.real([1, 6]))
    x = net.add("QUANTIZE", [real], [net.activation([1, 6])])
    y = net.dense(x, 4)
    content = net.content(net.add("DEQUANTIZE", [y], [net.real([1, 4])]))
    values = (net.scale(x) * rng.integers(-160, 160, (20, 6))).astype(np.float32)
    assert own.run(content, t0=values) == 0
    (said,) = json.loads((own.out / "interface.json").read_text())["parts"].values()
    zeros = [net.tensors[place].quantization.zeroPoint[0] for place in (x, y)]
    assert [(end["zero_point"], end["range"]) for side in ("inputs", "outputs") for end in said[side].values()] == [
        (zero, [-128, 127]) for zero in zeros
    ]
    taken = np.load(own.out / "golden.npz")["t0"]
    assert np.array_equal(taken, np.clip(np.rint(values / np.float32(net.scale(x))) + zeros[0], -128, 127))


def test_shapes_that_the_file_computes_are_stored(own):
    net = Network(np.random.default_rng(4))
    x = net.conv(net.input([1, 5, 4, 2]), 3)
    plain = lambda shape: net._tensor(f"t{len(net.tensors)}", shape, np.int32, [], [])  # noqa: E731
    zero, one = (net.constant(np.array([value], np.int32)) for value in (0, 1))
    shape = net.add("SHAPE", [x], [plain([4])], "ShapeOptions", outType=schema.TensorType.INT32)
    batch = net.add("STRIDED_SLICE", [shape, zero, one, one], [plain([])], "StridedSliceOptions", shrinkAxisMask=1)
    packed = net.add("PACK", [batch, net.constant(np.array(60, np.int32))], [plain([2])], "PackOptions", valuesCount=2)
    flat = net.add("RESHAPE", [x, packed], [net.like(x, [1, 60])], "ReshapeOptions")
    assert own.run(net.content(net.dense(flat, 4))) == 0
    layers = own.metrics()["compared"]["layers"]
    assert layers["layers"] == 3 and not layers["uncompared"]


def test_rounding_half_even_is_what_onnxruntime_computes(own):
    own.parameters |= {"rounding": "half_even", "partial": True}
    assert own.run(residual(1)[0]) == 0
    assert own.metrics()["compared"]["layers"]["by"][0].startswith("onnxruntime")


def test_rounding_as_tflite_is_refused_for_an_onnx_file(own, capfd):
    from user_files import small

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
    """To three units in the last place of an 8-bit fraction: what they are to the bit, the gate compares with the
    kernels.
    """
    x = np.linspace(-7.9, 7.9, 999)
    raw = np.rint(x * 2**27).astype(np.int64)
    assert np.abs(gemmlowp.logistic(raw) / 2**31 - 1 / (1 + np.exp(-x))).max() < 2**-20
    assert np.abs(gemmlowp.tanh(raw) / 2**31 - np.tanh(x)).max() < 2**-20
