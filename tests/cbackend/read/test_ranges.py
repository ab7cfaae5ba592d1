"""What reading a graph proves of it: ranges and accumulators that hold them, or why it cannot be C."""

import numpy as np
import pytest
from graphs import Graph, single, write_artefact

from microstage_cbackend.read.dot_ranges import dot_range


def test_an_unsupported_operator_is_named_with_its_place_and_nothing_is_written(tmp_path, run_stage, capfd):
    g = Graph()
    y = g.node("Sigmoid", g.node("Flatten", g.input("x", (1, 4))))
    source = write_artefact(tmp_path / "in", {"model": g.model(y)}, {"x": np.zeros((1, 4))})
    code, out = run_stage(source)
    assert (code, list(out.iterdir())) == (2, [])
    message = capfd.readouterr().err
    assert "Sigmoid_1 (Sigmoid, 2 of 2 in model)" in message and "would be possible" in message


def test_a_float_scale_left_in_the_graph_is_named(tmp_path, run_stage, capfd):
    g = Graph()
    y = g.node("Mul", g.input("x", (1, 4)), g.constant("scale", [0.5]))
    assert run_stage(write_artefact(tmp_path / "in", {"model": g.model(y)}, {"x": np.zeros((1, 4))}))[0] == 2
    assert "Constant scale of model holds values that are no integers" in capfd.readouterr().err


@pytest.mark.parametrize("shape", [(2, 4), (1, 0)])
def test_an_input_of_open_shape_or_of_a_batch_is_named(tmp_path, run_stage, capfd, shape):
    g = Graph()
    y = g.node("Identity", g.input("x", shape))
    assert run_stage(write_artefact(tmp_path / "in", {"model": g.model(y)}, {"x": np.zeros((1, 4))}))[0] == 2
    assert f"Input x of model has shape {list(shape)}" in capfd.readouterr().err


def test_a_sum_that_overflows_64_bits_is_refused(tmp_path, run_stage, capfd):
    g = Graph()
    x = g.input("x", (1, 2), "INT32")
    y = g.node("Mul", g.node("Mul", x, x), x)
    assert run_stage(write_artefact(tmp_path / "in", {"model": g.model(y)}, {"x": np.zeros((1, 2))}))[0] == 2
    assert "which no 64-bit integer holds" in capfd.readouterr().err


def test_a_sum_beyond_32_bits_gets_a_64_bit_accumulator(tmp_path, run_stage):
    g = Graph()
    y = g.node("MatMul", g.input("x", (1, 3), "INT24"), g.constant("w", np.full((3, 2), 100000)))
    code, out = run_stage(single(tmp_path / "in", g, [y]))
    assert code == 0
    assert (out / "ms_linear_i32_i32_ai64_i64_raw64.h").is_file()


def test_cancelling_partial_sums_are_counted_when_the_accumulator_is_chosen():
    low, high, partial_low, partial_high = dot_range(np.array([[2**24, -(2**24)]]), 0, 127)
    assert (partial_low, partial_high) == (-127 * 2**24, 127 * 2**24)
    assert (low, high) == (partial_low, partial_high)
    assert dot_range(np.array([[3, -3]]), 5, 5) == (0, 0, -15, 15)


def test_an_output_that_can_pass_its_declared_type_is_widened_and_named(tmp_path, run_stage, capfd):
    g = Graph()
    y = g.node("Add", g.input("x", (1, 4)), g.constant("one", [1]))
    g.types[y] = "INT8"
    code, out = run_stage(single(tmp_path / "in", g, [y]))
    assert code == 0 and any("int16_t *" in header.read_text() for header in out.glob("*.h"))
    assert "is declared INT8 but can reach -127..128" in "".join(capfd.readouterr())
