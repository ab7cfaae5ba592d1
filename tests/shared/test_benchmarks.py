"""Networks of the benchmarks: shapes, ranges, and twins that say the same integers."""

import numpy as np
import onnx
import pytest

from microstage.benchmarks import names
from microstage.benchmarks.catalogue import NETWORKS
from microstage.benchmarks.network import Dense, Quantity
from microstage.benchmarks.onnx_twin import FORMS, write_onnx
from microstage.benchmarks.reference import run
from microstage.benchmarks.rounding import requantise
from microstage.benchmarks.twins import inputs_of, network_named
from microstage.errors import ParameterError
from microstage.integer import Interpreter

# multiply-accumulates and weights as published for these shapes
SIZES = {
    "resnet8": (12_501_632, 77_360), "ds-cnn": (2_656_768, 22_016), "mobilenet": (7_489_664, 208_112), "autoencoder": (264_192, 264_192),
    "kws-w3a3": (259_584, 259_584), "cnv-binary": (59_461_376, 1_542_848),
}  # fmt: skip


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    return network_named(request.param)


def test_network_has_the_published_size(network):
    assert (network.macs, network.parameters) == SIZES[network.name]


def test_every_tensor_uses_its_range(network):
    values = run(network, inputs_of(network, 16, seed=7))
    for layer in network.layers:
        if isinstance(layer, Dense):
            assert np.ptp(values[layer.name].astype(int)) > 0.6 * (layer.output.high - layer.output.low), layer.name
            assert np.abs(layer.weights).max() in (1, 3, 127)


def test_interpreter_on_the_qdq_twin_gives_the_references_integers(network):
    inputs = inputs_of(network, 4, seed=11)
    expected = run(network, inputs)
    found = Interpreter(write_onnx(network, batch=4)).run(inputs, record=[layer.name for layer in network.layers])
    for layer in network.layers:
        assert np.array_equal(found[layer.name], expected[layer.name]), layer.name


@pytest.mark.parametrize("form", FORMS)
def test_no_form_changes_a_value(form):
    network = network_named("kws-w3a3")
    shift, inputs = 128 if form == "uint8" else 0, inputs_of(network, 8)
    model = write_onnx(network, form, batch=8)
    onnx.checker.check_model(model, full_check=True)
    moved = (inputs["input"].astype(int) + shift).astype(np.uint8 if shift else np.int8)
    found = Interpreter(model).run({"input": moved})[network.output]
    assert np.array_equal(found.astype(int) - shift, run(network, inputs)[network.output])


def test_roundings_differ_on_ties_alone():
    ties, output = np.array([1, 3, 5, -1, -3]), Quantity(1.0)
    half = np.float64(0.5)
    assert requantise(ties, half, output, "half_even").tolist() == [0, 2, 2, 0, -2]
    assert requantise(ties, half, output, "half_up").tolist() == [1, 2, 3, 0, -1]
    assert requantise(ties, half, output, "tflite").tolist() == [1, 2, 3, 0, -1]
    rounded_twice = requantise(np.array([7]), np.float64(1 / 16), output, "tflite")
    assert rounded_twice.tolist() == [1], "7/16 becomes 4/8, then 1"
    with pytest.raises(ParameterError, match="half_even, half_up, tflite"):
        requantise(ties, half, output, "floor")


def test_rounding_twice_moves_few_values():
    network = network_named("ds-cnn")
    inputs = inputs_of(network, 8)
    first = network.layers[0].name
    moved = np.mean(run(network, inputs)[first] != run(network, inputs, "tflite")[first])
    assert 0 < moved < 0.01


def test_the_runner_knows_every_network():
    assert names.NETWORKS == tuple(NETWORKS)


def test_unknown_network_is_one_sentence():
    with pytest.raises(ParameterError, match="expected one of resnet8, ds-cnn"):
        network_named("resnet9")
