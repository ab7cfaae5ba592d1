"""The program, run in NumPy as the machine's memories hold it, beside the integer reference."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_firsts import FirstNetwork
from drawn_graphs import DrawnGraph, DrawnNetwork, write_artefact

from microstage.errors import ModelError, ParameterError
from microstage.integer import Interpreter
from microstage.integer.sequence import integers, run_sequence
from microstage.interface.recurrence import Recurrence
from microstage.requantise import MultiplyAddShift, Search
from microstage.signals.settle import RunningMean, Settling
from microstage_rtl.program import requantisation
from microstage_rtl.program.assemble import assemble
from microstage_rtl.program.call import HeldTensor, HeldWords
from microstage_rtl.program.interpret import RunningMachine
from microstage_rtl.program.memory import lifetimes, placed
from microstage_rtl.program.widths import Widths
from microstage_rtl.prove.golden import replayed
from microstage_rtl.read.network import read_network

FRAMES = 6


@pytest.mark.parametrize("kind", (DrawnNetwork, FirstNetwork))
@pytest.mark.parametrize("seed", range(60))
def test_every_tensor_of_a_random_network_is_that_of_the_reference(kind, seed, tmp_path):
    network = kind(seed)
    program = assemble(read_network(network.write(tmp_path)), lanes=1 + seed % 5)
    (name, (shape, low, high)), *_ = network.graph.inputs.items()
    frames = np.random.default_rng(seed).integers(low, high + 1, (FRAMES, *shape[1:]))
    model = network.graph.model(network.output)
    wanted = Interpreter(model).run({name: frames}, [n for n in program.places if n != name])
    machine, seen = RunningMachine(program, FRAMES), {}

    def see(index):
        seen.update({n: machine.tensor(n).copy() for n, (layer, *_) in program.places.items() if layer == index})

    sent = machine.frame(frames.reshape(FRAMES, -1), seen=see)
    np.testing.assert_array_equal(sent, integers(wanted[network.output]).reshape(FRAMES, -1))
    for tensor in program.places.keys() - {name}:
        expected = integers(wanted[tensor]).reshape(FRAMES, -1)
        np.testing.assert_array_equal(seen[tensor].reshape(FRAMES, -1), expected, err_msg=tensor)


def test_a_cell_that_is_unrolled_begins_at_zero_in_every_frame(tmp_path):
    random = np.random.default_rng(5)
    length, width, hidden = 4, 3, 5
    cell, head = DrawnGraph(random), DrawnGraph(random)
    both = cell.node("Concat", cell.input("x_t", (1, width), -8, 7), cell.input("h", (1, hidden), -7, 8), axis=1)
    sums = cell.node("MatMul", both, cell.weights(width + hidden, hidden, 4))
    cell.thresholds(sums, hidden, 15, 90, "anywhere", "NC", out_bias=-7.0, output="h_next")
    head.node("MatMul", head.input("last", (1, hidden), -7, 8), head.weights(hidden, 2, 4), output="y")
    said = {"cell": {"h_next": ((1, hidden), -7, 8)}, "head": {"y": ((1, 2), -999, 999)}}
    roles = {"length": length, "cell": "cell", "head": "head", "steps": {"x_t": "x"}, "states": {"h": "h_next"}}
    sequence = {**roles, "last": {"last": "h"}}
    folder = write_artefact(tmp_path, {"cell": cell, "head": head}, said, sequence=sequence)
    program = assemble(read_network(folder), lanes=2)
    x = random.integers(-8, 8, (7, length, width))
    parts = {"cell": Interpreter(cell.model("h_next")), "head": Interpreter(head.model("y"))}
    wanted = run_sequence(Recurrence.of({"sequence": sequence}), parts, {"x": x})["y"]
    machine = RunningMachine(program, 7)
    for _ in range(2):
        np.testing.assert_array_equal(machine.frame(x.reshape(7, -1)), wanted)


def test_carried_states_settle_as_the_reference_settles_them(tmp_path):
    """States are kept as they come in, so that each frame sends what the last one brought, settled."""
    random = np.random.default_rng(2)
    top, most, k = 500, 4, 2
    encoder, cell, head = DrawnGraph(random), DrawnGraph(random), DrawnGraph(random)
    one = encoder.constant([1])
    for name, size, low, high in (
        ("phasor", 3, -top, top),
        ("sum", 2 * k, -top * most, top * most),
        ("count", k, 0, most),
    ):
        encoder.node("Mul", encoder.input(f"{name}_in", (1, size), low, high), one, output=f"{name}_next")
        encoder.node("Mul", encoder.input(name, (1, size), low, high), one, output=f"{name}_was")
    encoder.node("MatMul", encoder.input("window", (1, 2), -4, 3), encoder.weights(2, 2, 3), output="features")
    cell.node("Add", cell.input("f", (1, 2), -64, 64), cell.input("h", (1, 2), 0, 0), output="sums")
    cell.thresholds("sums", 1, 1, 1, "anywhere", "NC", output="h_next")
    head.node("Mul", head.input("last", (1, 2), 0, 1), head.constant([1]), output="correction")
    shapes = {"phasor": (1, 3), "sum": (1, 2 * k), "count": (1, k)}
    ends = {"phasor": (-top, top), "sum": (-top * most, top * most), "count": (0, most)}
    of_encoder = {f"{n}_{side}": (shapes[n], *ends[n]) for n in shapes for side in ("next", "was")}
    said = {
        "encoder": of_encoder | {"features": ((1, 2), -64, 64)},
        "cell": {"h_next": ((1, 2), 0, 1)},
        "head": {"correction": ((1, 2), 0, 1)},
    }
    sequence = {"length": 1, "encoder": "encoder", "cell": "cell", "head": "head", "steps": {"f": "features"}}
    sequence |= {"states": {"h": "h_next"}, "last": {"last": "h"}, "carried": {n: f"{n}_next" for n in shapes}}
    answer = {"name": "mean", "sum": "sum_next", "count": "count_next", "correction": "correction", "most": most}
    gain = {"inputs": {"window": "w"}, "outputs": {"mean": "a"}, "exponents": [-60, 60], "scaled": ["phasor", "sum"]}
    graphs = {"encoder": encoder, "cell": cell, "head": head}
    folder = write_artefact(tmp_path, graphs, said, sequence=sequence, answer=answer, gain=gain)
    program = assemble(read_network(folder), lanes=1)
    settling = Settling({"phasor": top, "sum": top * most}, RunningMean("sum", "count", most, top))
    count, steps = 300, 8
    exponents = random.integers(-3, 4, (count, steps)) + random.integers(-40, 40, (count, 1))
    exponents[:50] = random.integers(-60, 61, (50, steps))
    machine, held, before = RunningMachine(program, count), None, None
    for t in range(steps):
        given = {port.name: random.integers(port.low, port.high + 1, (count, port.beats)) for port in program.inputs}
        given["gain_exponent"] = exponents[:, t : t + 1]
        size = given["count_in"].max(axis=1)
        given["sum_in"] = np.clip(given["sum_in"], -top * size[:, None], top * size[:, None])
        given["count_in"] = np.broadcast_to(size[:, None], (count, k))
        sent = machine.frame(np.concatenate([given[p.name] for p in program.inputs], axis=1), starts=t == 0)
        found = dict(
            zip(
                [p.name for p in program.outputs],
                np.split(sent, np.cumsum([p.beats for p in program.outputs])[:-1], axis=1),
            )
        )
        wanted = {n: np.zeros((count, shapes[n][1]), int) for n in shapes}
        if t:
            wanted = settling.between(held, exponents[:, t] - before)
        for name in shapes:
            np.testing.assert_array_equal(found[f"{name}_was"], wanted[name], err_msg=name)
        held, before = {n: given[f"{n}_in"] for n in shapes}, exponents[:, t]


@pytest.mark.parametrize("even", (False, True))
def test_lines_with_one_shift_for_all_and_halves_to_even_are_the_staircase(even):
    line = MultiplyAddShift(np.array([3, 5, 8]), np.array([7, 0, 4]), 4, -9, 9, even)
    sums = np.arange(-60, 61)
    rows = [
        [int(sums[np.argmax(line.apply(sums, np.full_like(sums, c)) >= k)]) for k in range(-8, 9)] for c in range(3)
    ]
    search = Search(np.array(rows), 1, -9)
    stage = requantisation.counted(search, np.full(3, -60), np.full(3, 60)).raised_shift(3)
    assert stage.thresholds is None
    for channel in range(3):
        value = sums * np.broadcast_to(stage.multiplier, 3)[channel] + np.broadcast_to(stage.offset, 3)[channel]
        level = value >> stage.shift
        level = level - ((value & (1 << stage.shift) - 1 == 0) & level) if stage.even else level
        found = np.clip(level, stage.low, stage.high)
        np.testing.assert_array_equal(found, search.apply(sums, np.full_like(sums, channel)))


def test_words_are_shared_only_by_what_never_lives_at_once(tmp_path):
    for seed in range(20):
        folder = tmp_path / str(seed)
        folder.mkdir()
        calls = read_network(DrawnNetwork(seed).write(folder)).calls
        lives, places = lifetimes(calls), placed(calls)
        for a in lives:
            for b in lives:
                alive = lives[a][0] <= lives[b][1] and lives[b][0] <= lives[a][1]
                apart = places[a] + a.size <= places[b] or places[b] + b.size <= places[a]
                assert a is b or apart or not alive


@pytest.mark.parametrize(("levels", "bits"), (((-1, 1), 1), ((-1, 0, 1), 2), ((-3, 3), 3), ((0,), 2)))
def test_weights_take_one_bit_where_every_filter_has_nothing_but_signs(levels, bits, tmp_path):
    graph = DrawnGraph(np.random.default_rng(0))
    weights = np.resize(np.array(levels), (5, 4))
    graph.node("MatMul", graph.input("x", (1, 5), 0, 3), graph.constant(weights), output="y")
    folder = write_artefact(tmp_path, {"net": graph}, {"net": {"y": ((1, 4), -99, 99)}})
    for lanes in (1, 2, 3):  # the third of which has lanes without a filter
        assert Widths(assemble(read_network(folder), lanes)).weight_bits == bits


def test_what_the_machine_does_not_have_is_one_sentence(tmp_path):
    graph = DrawnGraph(np.random.default_rng(0))
    graph.node("Softsign", graph.input("x", (1, 3), 0, 1), output="y")
    folder = write_artefact(tmp_path, {"net": graph}, {"net": {"y": ((1, 3), 0, 1)}})
    with pytest.raises(
        ModelError, match=r"Softsign -> y \(node 1 of net\) is an operator that the machine does not have"
    ):
        read_network(folder)
    with pytest.raises(ParameterError, match="PART=other is none of the network's parts; there are net"):
        read_network(folder, "other")


def test_a_closing_softmax_is_left_off_where_that_is_asked_for_and_golden_answers_are_computed(tmp_path):
    graph = DrawnGraph(np.random.default_rng(0))
    graph.node("MatMul", graph.input("x", (1, 5), -8, 7), graph.weights(5, 3, 4), output="scores")
    facts = {"input_multiplier": 1242899200, "input_left_shift": 24, "diff_min": -124}
    graph.node("IntegerSoftmax", "scores", output="y", **facts)
    folder = write_artefact(tmp_path, {"net": graph}, {"net": {"y": ((1, 3), -128, 127)}})
    with pytest.raises(ModelError, match="LOGITS=1 sends what it reads"):
        read_network(folder)
    x = np.random.default_rng(1).integers(-8, 8, (4, 5))
    np.savez(folder / "golden.npz", x=x, y=np.zeros((4, 3), np.int8))
    found = replayed(assemble(read_network(folder, logits=True), 2), folder)
    np.testing.assert_array_equal(found.sent[:, 0], x @ graph.constants["constant_0"].astype(int))
    assert found.compared[-1].compared == 12


def test_a_view_of_a_tensor_keeps_its_place():
    ends = np.zeros((1, 6), np.int64), np.arange(6)[None]
    tensor = HeldTensor.in_order(HeldWords("x", 6), (1, 6), *ends)
    part = tensor.part(2, (1, 3))
    assert part.start == 2 and part.ends == (0, 4) and tensor.seen_as((2, 3)).high.tolist() == [[0, 1, 2], [3, 4, 5]]
