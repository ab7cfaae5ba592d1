"""Networks that are stepped window by window, against plain Python.

Carried states between two steps, and the answer.
"""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from microstage.integer import Interpreter
from microstage.integer.sequence import carried_into, run_sequence
from microstage.interface.answer import PhasorMean
from microstage.interface.gain import Gain
from microstage.interface.recurrence import Recurrence
from microstage.signals.settle import Settling, real_answer, rescaled

SEQUENCE = Recurrence(
    1,
    "cell",
    {"level_t": "level"},
    {"h": "h_next"},
    "encoder",
    "head",
    {"h": "h"},
    {"level_1": "level", "sum": "sum_next", "count": "count_next"},
)
GAIN = Gain({"window": "waveform"}, {"loudness": "metres"}, (-60, 60), ("level_1", "sum"))
MEAN = PhasorMean("loudness", "sum_next", "count_next", "correction", 8)
TOPS = {"level_1": 1000, "sum": 8000, "count": 8}


@given(st.integers(-(2**24), 2**24), st.integers(-120, 120))
def test_a_state_follows_the_gain_to_the_nearest_integer_and_a_half_goes_up(value, shift):
    exact = math.floor(Fraction(value) / Fraction(2) ** shift + Fraction(1, 2))
    found = int(rescaled(np.array([value]), np.array([shift]))[0])
    assert found == exact or min(abs(found), abs(exact)) >= 2**38


@given(st.integers(-4, 4), st.integers(-1000, 1000), st.tuples(*[st.integers(-8000, 8000)] * 2), st.integers(0, 8))
def test_states_turn_and_are_held_and_a_full_mean_is_halved(shift, level, total, count):
    settled = Settling.of(SEQUENCE, GAIN, MEAN, TOPS).between(
        {"level_1": np.array([[level]]), "sum": np.array([total]), "count": np.array([[count]])}, np.array([shift])
    )

    def held(value, most):
        return max(-most, min(math.floor(-value / 2.0**shift + 0.5), most))

    sums = [held(value, 1000 * count) for value in total]
    expected = {"level_1": [held(level, 1000)], "sum": sums, "count": [count]}
    if count == 8:
        expected |= {"sum": [math.floor((value + 1) / 2) for value in sums], "count": [4]}
    assert {name: value[0].tolist() for name, value in settled.items()} == expected


def test_the_answer_is_the_size_of_the_mean_and_its_correction_and_never_negative():
    ints = {
        "sum_next": np.array([[18, 0, -24, 7]]),
        "count_next": np.array([[4, 1]]),
        "correction": np.array([[-2, -100]]),
    }
    found = real_answer(MEAN, {"sum_next": 0.5, "correction": [0.25, 1.0]}, ints, np.array([3], np.int8))
    assert found.tolist() == [[(30 / 8 - 0.5) * 8, 0.0]] and not np.signbit(found).any()


def graph(inputs: dict, outputs: list, nodes: list, **constants) -> Interpreter:
    def value(name, width):
        return helper.make_tensor_value_info(name, TensorProto.INT64, ["B", width])

    made = helper.make_graph(
        [helper.make_node(op, reads, [out]) for op, reads, out in nodes],
        "g",
        [value(name, width) for name, width in inputs.items()],
        [value(name, 1) for name in outputs],
        [numpy_helper.from_array(np.asarray(v, np.int64), name) for name, v in constants.items()],
    )
    return Interpreter(helper.make_model(made))


@pytest.fixture
def parts():
    """level = the sum of the window, and half a phasor; h adds levels up; the head has a sum of its own, and counts."""
    return {
        "encoder": graph(
            {"window": 2, "level_1": 2},
            ["level", "change"],
            [("MatMul", ["window", "ones"], "level"), ("Sub", ["level", "level_1"], "change")],
            ones=[[1, 0], [1, 0]],
        ),
        "cell": graph({"level_t": 2, "h": 2}, ["h_next"], [("Add", ["level_t", "h"], "h_next")]),
        "head": graph(
            {"h": 2, "level": 2, "sum": 2, "count": 1},
            ["correction", "sum_next", "count_next"],
            [
                ("Sub", ["h", "level"], "correction"),
                ("Add", ["sum", "level"], "sum_next"),
                ("Add", ["count", "one"], "count_next"),
            ],
            one=[[1]],
        ),
    }


def test_every_part_runs_at_every_step_and_states_settle_in_between(parts):
    windows = np.array([[[3, 4], [5, 6], [7, 8]], [[400, 500]] * 3])
    exponent = np.array([[0, 1, -60], [-60, 60, 60]], np.int8)  # differences of int8 would wrap
    settling = Settling.of(SEQUENCE, GAIN, MEAN, TOPS)
    found = run_sequence(SEQUENCE, parts, {"window": windows, "gain_exponent": exponent}, settling=settling)
    assert found["level"][..., 0].tolist() == [[7, 11, 15], [900, 900, 900]]
    assert found["change"][..., 0].tolist() == [[7, 11 + 3, 15 + 1000], [900, 900, 1800]]
    assert found["h"][..., 0].tolist() == [[7, 18, 33], [900, 1800, 2700]]
    assert found["sum_next"][..., 0].tolist() == [[7, -3 + 11, -2000 + 15], [900, 900, 0]]
    assert found["count_next"][..., 0].tolist() == [[1, 2, 3], [1, 2, 3]]
    assert found["correction"][..., 0].tolist() == [[0, 7, 18], [0, 900, 1800]], (
        "the head follows the cell, within a step"
    )
    before = carried_into(SEQUENCE, settling, {**found, "gain_exponent": exponent})
    assert {name: value[..., 0].tolist() for name, value in before.items()} == {
        "level_1": [[0, -3, -1000], [0, 0, -900]],
        "sum": [[0, -3, -2000], [0, 0, -900]],
        "count": [[0, 1, 2], [0, 1, 2]],
    }
