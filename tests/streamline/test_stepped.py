"""Networks that are stepped: random ones that carry wide integers, a cell alone, parts that do not fit together."""

import json

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from qonnx.core.onnx_exec import execute_onnx
from stage_runs import StageOnParts
from stepped_parts import Sizes, cell, encoder, head, write_cell

from microstage.integer import Interpreter
from microstage.integer.lines import fit_line
from microstage.integer.sequence import integers
from microstage_streamline.preceding_stage import convert_part
from microstage_streamline.prove.sequences import ChannelsLast


@pytest.fixture
def cell_alone(tmp_path):
    """A cell that is stepped over its own input, and carries nothing but its states."""
    stage = StageOnParts(tmp_path)
    write_cell(stage.source, Sizes(seed=3), records=5, steps=7)
    return stage


def test_a_cell_alone_is_proven_over_whole_sequences(cell_alone):
    assert cell_alone.run() == 0
    proved = {said["boundary"]: said["equal"] for said in cell_alone.report()["verification"]}
    assert proved["hidden"] == proved["cell"] == 5 * 7 * 6 and proved["any state cell_next"] > 2048 * 6
    assert "carried" not in json.loads((cell_alone.out / "interface.json").read_text())["sequence"]


def test_what_a_part_gives_beyond_what_the_next_is_proven_for_ends_the_stage(tmp_path, capfd):
    stage = StageOnParts(tmp_path)
    path = stage.source / "interface.json"
    interface = json.loads(path.read_text())
    interface["parts"]["submlp"]["inputs"]["estimate"]["range"] = [-1000, 1000]
    path.write_text(json.dumps(interface))
    assert stage.run() == 3
    assert "submlp takes estimate from -1000 to 1000, and estimate may be" in capfd.readouterr().err


@st.composite
def sizes(draw):
    few = st.integers(1, 5)
    return Sizes(
        samples=draw(st.sampled_from([8, 11, 16, 32])),
        window_bits=draw(st.integers(8, 12)),
        bits=draw(st.integers(2, 14)),
        step=2.0 ** draw(st.integers(-12, -5)),
        harmonics=draw(few),
        channels=draw(few),
        features=draw(few),
        hidden=draw(few),
        width=draw(few),
        alike=draw(st.booleans()),
        seed=draw(st.integers(0, 10**6)),
    )


@settings(max_examples=8, deadline=None)
@given(sizes(), st.sampled_from([encoder, cell, head]))
@example(Sizes(8, 8, 2, 2.0**-5, harmonics=1, channels=1, features=1, hidden=1, width=1, seed=4), head)
@example(Sizes(8, 8, 2, 2.0**-5, harmonics=2, channels=1, features=1, hidden=1, width=1, seed=1, alike=True), head)
@example(Sizes(8, 8, 2, 2.0**-5, harmonics=2, channels=1, features=1, hidden=4, width=4, alike=True), head)
def test_integers_of_any_such_part_are_the_references_from_any_state(drawn, make):
    builder = make(drawn)
    source = builder.finish()
    interface = builder.interface(source)
    part = convert_part(source, interface)
    rng = np.random.Generator(np.random.PCG64(drawn.seed))
    ends = {name: said["range"] for name, said in interface["inputs"].items()}
    values = {
        name: rng.integers(low, high + 1, (40, *interface["inputs"][name]["shape"][1:]))
        for name, (low, high) in ends.items()
    }
    for name, (low, high) in ends.items():
        values[name][0], values[name][1] = low, high
    record = [name for node in part.model.graph.node for name in node.output]
    expected, runner = Interpreter(source).run(values), ChannelsLast(part.model, interface, part.laid.stored)
    found = runner.run(values, record)
    for name in expected:
        assert np.array_equal(integers(expected[name]), integers(found[name])), name
    largest = [int(np.abs(value).max(initial=0)) for value in part.integer_graph.constants.values()]
    wide = {value.bit_length() for value in largest if value > 2**24}
    assert bool(part.beyond) == bool(wide), part.beyond
    if part.beyond:  # sums that are joined as integers have a bias of more bits than float32 holds
        assert drawn.alike and any(f"of {bits} bits, and its float32 holds 24" in part.beyond for bits in wide)
        return
    kinds = {name: part.model.get_tensor_datatype(name) for name in record}
    for name, kind in kinds.items():
        held = integers(found[name])
        assert kind.allowed(int(held.min())) and kind.allowed(int(held.max())), name
    widest = max(kind.bitwidth() for kind in kinds.values())
    assert widest <= (32 if drawn.alike else 24)
    if widest > 24:  # qonnx's executor adds in float32, FINN's layers in integers
        return
    fed = {name: runner.arranged(name, value[-1:]).astype(np.float32) for name, value in values.items()}
    executed = execute_onnx(part.model, fed)
    for name, value in expected.items():
        assert np.array_equal(executed[name].reshape(-1), integers(value)[-1].reshape(-1)), name


def test_levels_that_never_step_have_a_line_of_slope_zero():
    low, high = np.array([-3 * 10**7]), np.array([5 * 10**7])
    found = fit_line(high[:, None] + 1, 0, low, high)
    assert found is not None and not np.clip(found.at(np.stack([low, high])), 0, 1).any()  # held to its levels
