"""A network that carries wide integers from step to step: the whole stage, random ones, and a user's own file of the kind."""

import json

import numpy as np
import pytest
from conftest import Stage
from hypothesis import given, settings
from hypothesis import strategies as st
from qonnx.core.onnx_exec import execute_onnx
from stepped_parts import ROLES, Sizes, cell, encoder, head, write

from microstage import golden
from microstage.integer import Interpreter
from microstage.integer.sequence import integers
from microstage_streamline.sources import convert_part
from microstage_streamline.verify.sequences import ChannelsLast

SIZES = Sizes(most=4, seed=3)


@pytest.fixture
def stepped(tmp_path):
    stage = Stage(tmp_path)
    write(stage.source, SIZES)
    return stage


def test_whole_records_every_state_and_all_parts_are_proven_and_estimated(stepped, capfd):
    assert stepped.run() == 0
    proved = {said["boundary"]: (said["compared"], said["equal"]) for said in stepped.report()["verification"]}
    vectors = golden.load(stepped.out / golden.FILE)
    assert vectors["keep"].min() == 0 and vectors["keep"].max() == 1 and vectors["count_next"].max() == SIZES.most
    for name in ("features", "estimate", "hidden", "cell", "keep", "correction", "sum_next", "count_next"):
        assert proved[name] == (vectors[name].size,) * 2, name
    for name in ("features", "estimate", "hidden_next", "cell_next", "correction", "sum_next", "count_next"):
        assert proved[f"any state {name}"][1] >= 3 * 2048
    said = json.loads((stepped.out / "interface.json").read_text())
    assert said["sequence"]["carried"] == {"estimate_1": "estimate", "sum": "sum_next", "count": "count_next"}
    assert said["gain"] == ROLES["gain"] and said["answer"] == {**ROLES["answer"], "most": SIZES.most}
    ends = said["parts"]["submlp_finn_streamlined"]
    assert (ends["inputs"]["sum"]["datatype"], ends["outputs"]["sum_next"]["datatype"]) == ("INT14", "INT15")
    for part in json.loads((stepped.out / "estimates.json").read_text())["parts"].values():
        assert part["unmapped"] == [] and part["resources"]["LUT"] > 0
    assert capfd.readouterr().out.count("FINN counts none for DuplicateStreams_hls, ElementwiseAdd_hls, ElementwiseMul_hls") == 3


@pytest.mark.parametrize("boundary", ["estimate", "sum_next"])
def test_one_wrong_integer_of_a_record_ends_the_stage_and_is_named(stepped, boundary, capfd):
    vectors = golden.load(stepped.source / golden.FILE)
    vectors[boundary].flat[-3] += 1
    golden.save(stepped.source / golden.FILE, vectors)
    assert stepped.run() == 3
    assert f"At {boundary} 1 of {vectors[boundary].size} integers differ" in capfd.readouterr().err


def test_what_a_part_gives_beyond_what_the_next_is_proven_for_ends_the_stage(stepped, capfd):
    path = stepped.source / "interface.json"
    interface = json.loads(path.read_text())
    interface["parts"]["submlp"]["inputs"]["estimate"]["range"] = [-1000, 1000]
    path.write_text(json.dumps(interface))
    assert stepped.run() == 3
    assert "submlp takes estimate from -1000 to 1000, and estimate may be" in capfd.readouterr().err


@st.composite
def sizes(draw):
    few = st.integers(1, 5)
    return Sizes(
        samples=draw(st.sampled_from([8, 11, 16, 32])), window_bits=draw(st.integers(8, 12)), bits=draw(st.integers(2, 14)),
        step=2.0 ** draw(st.integers(-12, -5)), harmonics=draw(few), channels=draw(few), features=draw(few), hidden=draw(few), width=draw(few), seed=draw(st.integers(0, 10**6)),
    )


@settings(max_examples=20, deadline=None)
@given(sizes(), st.sampled_from([encoder, cell, head]))
def test_integers_of_any_such_part_are_the_references_from_any_state(drawn, make):
    builder = make(drawn)
    source = builder.finish()
    interface = builder.interface(source)
    part = convert_part(source, interface)
    rng = np.random.Generator(np.random.PCG64(drawn.seed))
    ends = {name: said["range"] for name, said in interface["inputs"].items()}
    values = {name: rng.integers(low, high + 1, (40, *interface["inputs"][name]["shape"][1:])) for name, (low, high) in ends.items()}
    for name, (low, high) in ends.items():
        values[name][0], values[name][1] = low, high
    record = [name for node in part.model.graph.node for name in node.output]
    expected, runner = Interpreter(source).run(values), ChannelsLast(part.model, interface, part.laid.stored)
    found = runner.run(values, record)
    assert not part.beyond
    for name in expected:
        assert np.array_equal(integers(expected[name]), integers(found[name])), name
    for name in record:
        kind, held = part.model.get_tensor_datatype(name), integers(found[name])
        assert kind.bitwidth() <= 24 and kind.allowed(int(held.min())) and kind.allowed(int(held.max())), name
    fed = {name: runner.arranged(name, value[-1:]).astype(np.float32) for name, value in values.items()}
    executed = execute_onnx(part.model, fed)
    for name, value in expected.items():
        assert np.array_equal(executed[name].reshape(-1), integers(value)[-1].reshape(-1)), name
