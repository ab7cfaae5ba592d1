"""Networks through their files and the interpreter: every integer is the reference's."""

import numpy as np
import onnx
import pytest
from graphs import Graph, evaluate
from hypothesis import given, settings
from integer_networks import networks

from microstage.interface import golden
from microstage_cbackend.generate import read_model
from microstage_cbackend.network_file.writing.network import network_file
from microstage_cbackend.passes import optimise
from microstage_cbackend.program.memory import plan_memory
from microstage_cbackend.program.model import Model
from microstage_cbackend.read.graph import read_part
from microstage_cbackend.vectors.plan import make_plan


def written(folder, model, plan=None):
    path = folder / f"{model.name}.msn"
    path.write_bytes(network_file(model, {part.name: plan_memory(part) for part in model.parts}, plan))
    return path


@given(networks())
@settings(max_examples=8, deadline=None)
def test_random_networks(interpreter, sanitised, tmp_path_factory, drawn):
    graph, output = drawn
    folder, made = tmp_path_factory.mktemp("g"), graph.model(output)
    onnx.save(made, folder / "model.onnx")
    part = optimise(read_part("model", folder / "model.onnx", {}))
    network, random = written(folder, Model("net", [part], {})), np.random.default_rng(0)
    (x,) = part.inputs
    vectors = [random.integers(x.low, x.high + 1, x.shape) for _ in range(2)]
    vectors += [np.full(x.shape, end) for end in (x.low, x.high)]
    expected = np.stack([evaluate(made, {x.name: vector})[output].ravel() for vector in vectors])
    for program in (interpreter, sanitised):
        np.testing.assert_array_equal(program.infer(network, np.stack(vectors)), expected)


@pytest.mark.parametrize("source", ["every_kernel_source", "stepped_source", "harmonic_source"])
def test_golden_vectors(interpreter, sanitised, tmp_path, request, source):
    folder = request.getfixturevalue(source)
    model = read_model(folder)
    network = written(tmp_path, model, make_plan(model, golden.load(folder / golden.FILE)))
    for program in (interpreter, sanitised):
        assert "integers are equal" in program.said(network, "--test")


def test_places_of_the_largest_and_values_at_places(interpreter, tmp_path):
    """ms_top, ms_take, ms_gather, and weights of one bit in the plain kernels."""
    random = np.random.default_rng(3)
    vectors, at, signs = (
        random.integers(-8, 8, (5, 1, 40)),
        random.permutation(40)[:23],
        random.choice([-1, 1], (40, 6)),
    )
    order = np.argsort(-vectors, axis=2, kind="stable")[..., :3]
    expected = {
        "places": order,
        "values": np.take_along_axis(vectors, order, 2),
        "gathered": vectors[..., at],
        "sums": (vectors * 1000) @ signs,
    }
    for name, wanted in expected.items():
        g = Graph()
        x = g.input("x", (1, 40), "INT16")
        values, places = g.node("TopK", x, g.constant("k", [3], np.int64), outputs=2, axis=1)
        gathered = g.node("Gather", x, g.constant("at", at, np.int64), axis=1)
        sums = g.node("MatMul", x, g.constant("w", signs))
        output = {"places": places, "values": values, "gathered": gathered, "sums": sums}[name]
        onnx.save(g.model(output), tmp_path / "model.onnx")
        part = optimise(read_part("model", tmp_path / "model.onnx", {}))
        network = written(tmp_path, Model(name, [part], {}))
        given = vectors * 1000 if name == "sums" else vectors
        np.testing.assert_array_equal(interpreter.infer(network, given), wanted.reshape(5, -1), name)
