"""A file that was written is read again, and computes the same integers in NumPy: parts, programs, states."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from graphs import evaluate
from hypothesis import given, settings
from integer_networks import networks

from microstage.errors import ParameterError
from microstage_cbackend.network_file.__main__ import main
from microstage_cbackend.network_file.reading.check import read_network
from microstage_cbackend.network_file.reading.machine import FileMachine
from microstage_cbackend.network_file.writing.network import network_file
from microstage_cbackend.passes import optimise
from microstage_cbackend.program.interpret import run
from microstage_cbackend.program.memory import plan_memory
from microstage_cbackend.program.model import Model
from microstage_cbackend.read.graph import read_part
from microstage_cbackend.vectors.plan import Plan


def written(model: Model) -> bytes:
    return network_file(model, {part.name: plan_memory(part) for part in model.parts})


def answers(machine: FileMachine, model: Model, plan: Plan, vector: int) -> None:
    """`infer` gives the golden integers."""
    found = machine.run(
        machine.program("infer"), {t.name: plan.at_ends(t.name, t.size, False)[vector] for t in model.ends.inputs}
    )
    for name, tensor in model.ends.outputs:
        np.testing.assert_array_equal(found[name], plan.at_ends(name, tensor.size, True)[vector], name)


@given(networks())
@settings(max_examples=10, deadline=None)
def test_random_networks(tmp_path_factory, drawn):
    graph, output = drawn
    made, path = graph.model(output), tmp_path_factory.mktemp("g") / "model.onnx"
    onnx.save(made, path)
    part = optimise(read_part("model", path, {}))
    machine, random = FileMachine(read_network(written(Model("net", [part], {})))), np.random.default_rng(0)
    feeds = [{t.name: random.integers(t.low, t.high + 1, t.shape) for t in part.inputs} for _ in range(2)]
    feeds += [{t.name: np.full(t.shape, end) for t in part.inputs for end in (t.low, t.high)}]
    for feed in feeds:
        found = machine.run(machine.program("infer"), feed)
        np.testing.assert_array_equal(found[output], evaluate(made, feed)[output].ravel())


@pytest.mark.parametrize("made", ["harmonic_file", "stepped_file"])
def test_golden_vectors(made, request):
    model, plan, data = request.getfixturevalue(made)
    for vector in range(plan.vectors):
        answers(FileMachine(read_network(data)), model, plan, vector)


def test_rows_alone_are_enough_and_are_told(every_kernel_file, tmp_path, capsys):
    model, plan, data = every_kernel_file
    whole, small = tmp_path / "net.msn", tmp_path / "small.msn"
    whole.write_bytes(data)
    assert main([str(whole), "--layouts", "rows", "--out", str(small)]) == 0
    assert small.stat().st_size < whole.stat().st_size
    for vector in range(4):
        answers(FileMachine(read_network(small.read_bytes())), model, plan, vector)
    assert main([str(small), "--info"]) == 0
    said = capsys.readouterr().out
    assert " rows " in said and "blocks" not in said and "ms_xnor_bits" in said


def test_steps_carry_their_state_and_a_refused_one_changes_nothing(stepped_file):
    model, plan, data = stepped_file
    machine, steps = FileMachine(read_network(data)), model.recurrent.step_inputs
    for vector in range(2):  # the second begins with a reset of what the first left
        machine.run(machine.program("reset"), {})
        for step in range(plan.length):
            names = [*(t.name for t in steps), model.recurrent.exponent.name]
            fed = {name: plan.boundaries[name][vector, step] for name in names}
            with pytest.raises(ParameterError, match="takes"):
                machine.run(machine.program("step"), {**fed, names[-1]: np.array([99])})
            found = machine.run(machine.program("step"), fed)
            for name, _ in model.recurrent.outputs:
                np.testing.assert_array_equal(found[name], plan.boundaries[name][vector, step].ravel(), name)


def test_parts_that_make_no_whole_are_programs_each(harmonic_file):
    parts = [replace(part, states=[]) for part in harmonic_file.model.parts]
    file = read_network(written(Model("net", parts, {})))
    machine = FileMachine(file)
    assert [file.text(int(program["name"])) for program in file.rows["PROG"]] == [part.name for part in parts]
    for part, program in zip(parts, file.rows["PROG"]):
        feed = {t.name: np.full(t.shape, t.high) for t in part.inputs}
        found, wanted = machine.run(program, feed), run(part, feed)
        for name in part.output_names:
            np.testing.assert_array_equal(found[name], wanted[name].ravel())


def test_a_cell_alone_gives_its_new_states(harmonic_file):
    model, plan, _ = harmonic_file
    alone = replace(model, recurrent=replace(model.recurrent, head=None))
    machine, cell = FileMachine(read_network(written(alone))), model.recurrent.cell
    feature, source = next(iter(model.recurrent.sequence.steps.items()))
    for step in range(model.recurrent.steps):
        found = machine.run(machine.program("step"), {feature: plan.boundaries[source][0, step]})
        for old, new in cell.states:
            np.testing.assert_array_equal(found[new], plan.boundaries[old][0, step].ravel())
