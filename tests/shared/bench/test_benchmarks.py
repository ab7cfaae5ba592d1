"""Networks of the benchmarks: shapes, ranges, and twins that say the same integers."""

import json

import numpy as np
import onnx
import pytest

from microstage.errors import ParameterError, VerificationError
from microstage.integer import Interpreter
from microstage_bench import names
from microstage_bench.aims import aim, published
from microstage_bench.catalogue import NETWORKS
from microstage_bench.ends import End, converted
from microstage_bench.network import DenseLayer, Quantity
from microstage_bench.onnx_forms import in_floats, unsigned
from microstage_bench.onnx_model import write_onnx
from microstage_bench.random_networks import Recipe, RecipeStep
from microstage_bench.random_networks.shrinking import shrunk
from microstage_bench.reference import run
from microstage_bench.rounding import requantise
from microstage_bench.write_models import inputs_of, network_named

# multiply-accumulates and weights as published for these shapes
SIZES = {
    "drawn-resnet8": (12_501_632, 77_360), "drawn-ds-cnn": (2_656_768, 22_016), "drawn-mobilenet": (7_489_664, 208_112),
    "drawn-autoencoder": (264_192, 264_192), "drawn-kws-w3a3": (259_584, 259_584),
    "drawn-cnv-binary": (59_461_376, 1_542_848),
}  # fmt: skip


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    return network_named(request.param)


def test_network_has_the_published_size(network):
    assert (network.macs, network.parameters) == SIZES[network.name]


def test_every_tensor_uses_its_range(network):
    values = run(network, inputs_of(network, 16, seed=7))
    for layer in network.layers:
        if isinstance(layer, DenseLayer):
            assert np.ptp(values[layer.name].astype(int)) > 0.6 * (layer.output.high - layer.output.low), layer.name
            assert np.abs(layer.weights).max() in (1, 3, 127)


def test_interpreter_on_the_qdq_twin_gives_the_references_integers(network):
    inputs = inputs_of(network, 4, seed=11)
    expected = run(network, inputs)
    found = Interpreter(write_onnx(network, batch=4)).run(inputs, record=[layer.name for layer in network.layers])
    for layer in network.layers:
        assert np.array_equal(found[layer.name], expected[layer.name]), layer.name


def fed(model, inputs):
    return Interpreter(model).run({"input": inputs})


def test_no_form_changes_a_value():
    network = network_named("drawn-kws-w3a3")
    given, model = inputs_of(network, 8), write_onnx(network, batch=8)
    expected = run(network, given)[network.output]
    raised, wholly, real = unsigned(model), unsigned(model, constants=True), in_floats(model)
    for form in (raised, wholly, real):
        onnx.checker.check_model(form, full_check=True)
    moved = (given["input"].astype(int) + 128).astype(np.uint8)
    for form in (raised, wholly):
        assert np.array_equal(fed(form, moved)[network.output].astype(int) - 128, expected)
    assert not any(
        i.data_type == onnx.TensorProto.INT8 and i.name in {name for node in wholly.graph.node for name in node.input}
        for i in wholly.graph.initializer
    )
    assert np.array_equal(fed(real, given["input"])[network.output], expected)
    constants = {initializer.name for initializer in real.graph.initializer}
    assert not any(node.op_type == "DequantizeLinear" and node.input[0] in constants for node in real.graph.node)


def test_what_computes_on_int8_has_no_unsigned_form():
    model = write_onnx(network_named("drawn-autoencoder"))
    quantiser = next(node for node in model.graph.node if node.op_type == "QuantizeLinear")
    model.graph.node.append(onnx.helper.make_node("Abs", [quantiser.output[0]], ["size"]))
    assert unsigned(model) is None and unsigned(unsigned(write_onnx(network_named("drawn-autoencoder")))) is None


def test_numbers_at_two_ends_stand_for_the_same_real_ones():
    c = End("x", (3, 4, 2), np.dtype(np.int16), 0.5, 0.0)
    file = End("x", (4, 2, 3), np.dtype(np.int8), 0.5, 7.0)
    numbers = np.arange(-12, 12).reshape(1, 3, 4, 2)
    (moved,) = converted([numbers], [c], [file])
    assert moved.dtype == np.int8 and np.array_equal(moved, np.moveaxis(numbers, 1, -1) + 7)
    assert np.array_equal(converted([moved], [file], [c])[0], numbers)
    raw = End("x", (3, 4, 2), np.dtype(np.int8), 1.0).within(file)
    assert np.array_equal(converted([numbers], [raw], [file])[0], np.moveaxis(numbers, 1, -1)), (
        "integers of the file's own"
    )
    with pytest.raises(VerificationError, match="another network"):
        converted([numbers], [c], [End("x", (4, 3, 3), np.dtype(np.int8), 0.5)])


def test_a_published_file_is_known_by_its_bytes_and_any_other_has_the_least_aim():
    assert (
        published(b"") == ""
        and aim("vector", True, "litert", "mine") == 1.0
        and aim("C99", False, "litert", "mine") is None
    )
    assert (
        aim("vector", True, "litert", "MLPerf Tiny's DS-CNN") == 2.0
        and aim("C99", False, f"{names.BEFORE}C99", "mine") == 0.95
    )


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
    network = network_named("drawn-ds-cnn")
    inputs = inputs_of(network, 8)
    first = network.layers[0].name
    moved = np.mean(run(network, inputs)[first] != run(network, inputs, "tflite")[first])
    assert 0 < moved < 0.01


def test_the_runner_knows_every_network():
    assert names.NETWORKS == tuple(NETWORKS)


def test_unknown_network_is_one_sentence():
    with pytest.raises(ParameterError, match="expected one of drawn-resnet8, drawn-ds-cnn"):
        network_named("resnet9")


def test_a_failing_random_network_is_made_as_simple_as_it_can_be():
    """The fault: a sum behind a pool whose second choice is 5 or more, in QONNX."""
    names = ["picture", "conv", "pool", "conv", "residual", "halves", "dense", "end"]
    steps = tuple(RecipeStep(name, place, (3, 9, 4)) for place, name in enumerate(names))
    tried = []

    def fails(recipe):
        tried.append(recipe)
        blocks = [step.block for step in recipe.steps]
        late = recipe.qonnx and "pool" in blocks and "residual" in blocks[blocks.index("pool") :]
        return recipe if late and recipe.steps[blocks.index("pool")].choices[1] >= 5 else None

    simple = shrunk(Recipe(True, False, 21, "long", 16, steps), fails)
    assert [step.block for step in simple.steps] == ["picture", "pool", "residual", "end"]
    assert [step.choices for step in simple.steps] == [
        (0, 0, 0),
        (0, 9, 0),
        (0, 0, 0),
        (0, 0, 0),
    ]  # half of 9 would do no harm
    assert (simple.qonnx, simple.exact, simple.opset, simple.style, simple.width) == (
        True,
        True,
        13,
        "exporter",
        8,
    ) and len(tried) < 100
    assert Recipe.read(json.loads(json.dumps(simple.described()))) == simple
