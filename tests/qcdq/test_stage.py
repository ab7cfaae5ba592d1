"""The whole stage on a small exported network: what it writes, what it proves, what it refuses."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper
from places import FIXTURES

from microstage.interface import golden

BOUNDARIES = {
    *(
        "cnn.act1",
        "estimate.act",
        "estimate",
        "features",
        "cell",
        "hidden",
        "lstm.input_acc",
        "lstm.cell_tanh",
        "lstm.forget_cell",
    ),
    *("heads.0.act", "keep", "correction", "sum_next", "count_next"),
}


def initializer(model, name):
    return next(i for i in model.graph.initializer if i.name == name)


def change(name, function):
    """An edit that applies `function` to one initialiser."""

    def edit(model):
        found = initializer(model, name)
        value = numpy_helper.to_array(found)
        found.CopyFrom(numpy_helper.from_array(np.asarray(function(value), value.dtype), name))

    return edit


def test_the_fixture_comes_out_to_the_byte_and_every_boundary_is_compared(made):
    expected = {path.name: path.read_bytes() for path in (FIXTURES / "qcdq").iterdir()}
    found = made.bytes()
    assert {name for name in expected if found[name] != expected[name]} == set()
    proved = made.verification()
    for side in ("brevitas", "onnxruntime", "any state"):
        assert {name.removeprefix(f"{side} ") for name in proved if name.startswith(f"{side} ")} >= BOUNDARIES
    assert all(v["compared"] == v["equal"] + v["explained_ties"] > 0 for v in proved.values())


def test_parameters_are_found_by_name_not_by_place(made, stage):
    def shuffle(model):
        rng = np.random.Generator(np.random.PCG64(0))
        for field in (model.graph.initializer,):
            order = rng.permutation(len(field))
            copies = [onnx.TensorProto.FromString(field[k].SerializeToString()) for k in order]
            del field[:]
            field.extend(copies)
        for index, node in enumerate(model.graph.node):
            node.name = f"renamed{index}"

    stage.edit(shuffle)
    assert stage.run() == 0
    assert stage.bytes() == made.bytes()


def test_ranges_are_the_quantisers_own_and_roles_those_of_the_definition(made):
    said, defined = (
        json.loads((folder / name).read_text())
        for folder, name in ((made.out, "interface.json"), (made.source, "model_def.json"))
    )
    encoder, step, head = (said["parts"][part] for part in ("subcnn", "sublstm_qcdq", "submlp"))
    assert step["inputs"]["cell"]["datatype"] == "INT6" and step["inputs"]["cell"]["range"] == [-32, 31]
    assert encoder["inputs"]["window"]["datatype"] == "INT12" and encoder["outputs"]["estimate"]["range"] == [
        -8191,
        8191,
    ]
    assert (
        step["inputs"]["hidden"]["scale"]
        == encoder["outputs"]["features"]["scale"]
        == head["inputs"]["hidden"]["scale"]
    )
    assert encoder["outputs"]["estimate"]["scale"] == head["outputs"]["sum_next"]["scale"] == 2.0**-12
    assert said["sequence"]["carried"] == defined["carried"] and said["sequence"]["length"] == 2
    assert (said["gain"], said["answer"]) == (defined["gain"], defined["answer"])


def run_by_hand(folder, windows) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(answers [n, L, 4], {state: [n, L, ...] behind each step}) of the composed step in stock onnxruntime."""
    session = onnxruntime.InferenceSession(
        str(folder / "model_qcdq_step_composed.onnx"), providers=["CPUExecutionProvider"]
    )
    window, *given = session.get_inputs()
    kinds = {"tensor(int8)": np.int8, "tensor(uint8)": np.uint8, "tensor(int32)": np.int32}
    state = [np.zeros((len(windows), *value.shape[1:]), kinds[value.type]) for value in given]
    steps = []
    for t in range(windows.shape[1]):
        answer, *state = session.run(None, {window.name: windows[:, t], **{v.name: s for v, s in zip(given, state)}})
        steps.append([answer, *state])
    answers, *states = (np.stack(values, 1) for values in zip(*steps))
    return answers, dict(zip([value.name for value in session.get_outputs()[1:]], states))


def assert_held(vectors, answers, states) -> None:
    """Compare with the golden vectors: wide integers are equal.

    Of the others, and of answers, a tie of float32 may make a few differ.
    """
    assert np.array_equal(states["exponent_next"][..., 0], vectors["gain_exponent"])
    for name in ("estimate", "sum_next", "count_next"):
        assert np.array_equal(states[name], vectors[name]), name
    assert all(np.mean(states[f"{name}_next"] != vectors[name]) < 1e-3 for name in ("hidden", "cell"))
    away = np.abs(answers - vectors["real.amplitudes"]) / np.ldexp(1.0, vectors["gain_exponent"].astype(int))[..., None]
    assert np.median(away) < 1e-6 and away.max() < 0.01


def windows_of(vectors) -> np.ndarray:
    return vectors["waveform"].astype(np.float32).reshape(*vectors["gain_exponent"].shape, -1)


def test_the_composed_step_run_over_whole_records_holds_the_recorded_integers(made):
    vectors = golden.load(made.out / golden.FILE)
    answers, states = run_by_hand(made.out, windows_of(vectors))
    assert_held(vectors, answers, states)
    assert (
        np.array_equal(vectors["real.waveform"], vectors["waveform"].astype(np.float32))
        and states["count_next"].max() > 8
    )


def test_the_composed_model_answers_behind_its_last_step_at_every_scale_and_no_number_beyond(made):
    session = onnxruntime.InferenceSession(
        str(made.out / "model_qcdq_composed.onnx"), providers=["CPUExecutionProvider"]
    )
    vectors = golden.load(made.out / golden.FILE)
    wave = vectors["waveform"][:30, :64].astype(np.float32)
    answer = session.run(None, {"waveform": wave})[0]
    assert np.array_equal(answer, run_by_hand(made.out, windows_of(vectors)[:30, :2])[0][:, 1])
    for shift in (-50, -20, 19, 50):  # micro-amperes to megavolts, with room
        np.testing.assert_array_equal(
            session.run(None, {"waveform": np.ldexp(wave, shift)})[0], np.ldexp(answer, shift)
        )
    wave[7, 3], wave[11, 0], wave[13, -1], wave[17, 5] = (
        np.nan,
        np.inf,
        -1e30,
        np.nextafter(np.float32(2.0**60), np.float32(np.inf)),
    )
    found, beyond = session.run(None, {"waveform": wave})[0], [7, 11, 13, 17]
    assert np.isnan(found[beyond]).all() and np.array_equal(np.delete(found, beyond, 0), np.delete(answer, beyond, 0))


def test_a_window_that_has_no_answer_leaves_the_state_as_it_was(made):
    windows = windows_of(golden.load(made.out / golden.FILE))[:8, :6]
    spoilt = np.insert(windows, 3, np.nan, axis=1)
    (answers, states), (expected, _) = run_by_hand(made.out, spoilt), run_by_hand(made.out, windows)
    assert np.isnan(answers[:, 3]).all() and np.array_equal(np.delete(answers, 3, 1), expected)
    assert all(np.array_equal(values[:, 3], values[:, 2]) for values in states.values())


# The faults that a rebuilt LSTM is known to have: swapped scales, a clip one level short, gates in another order.
WRONG = {
    "swapped sigmoid scales": ("lstm.input_sigmoid.scale", lambda v: v * 1.05, "lstm.input_sigmoid"),
    "cell clipped": ("lstm.cell_state.bit_width", lambda v: v - 4, "lstm.|cell"),
    "bias of another gate": ("lstm.bias_forget", lambda v: v + 0.5, "lstm.forget_acc"),
    "weight": ("heads.0.linear.weight", lambda v: np.roll(v, 1), "heads.0.act"),
    "output bias": ("heads.2.out.bias", lambda v: v + 0.25, "correction"),
    "wired weight": ("estimate.conv.weight", lambda v: np.roll(v, 1), "estimate.act"),
    "wide quantiser": ("estimate.act.bit_width", lambda v: v - 2, "estimate.act"),
    "decision": ("heads.1.keep.bias", lambda v: v - 2, "keep"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_rebuild_is_refused_and_named(stage, capfd, fault):
    name, function, boundary = WRONG[fault]
    stage.edit(change(name, function))
    assert stage.run() == 3
    message = capfd.readouterr().err
    assert "integers differ beyond the rounding bound" in message and any(b in message for b in boundary.split("|"))
    assert not (stage.out / "report.json").exists()


def exchange(model):
    """What reads the estimate of the step before reads the sum."""
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = {"sum": "estimate_1", "estimate_1": "sum"}.get(name, name)


def test_states_in_another_order_are_refused(stage, capfd):
    stage.edit(exchange)
    assert stage.run() == 3
    assert "integers differ beyond the rounding bound" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("boundary", "place"),
    [("cell", (3, 1, 2)), ("estimate.act", (4, 2, 5, 0)), ("sum_next", (2, 15, 6)), ("count_next", (1, 15, 2))],
)
def test_one_level_in_the_recording_is_refused_unless_it_is_a_tie(stage, capfd, boundary, place):
    vectors = golden.load(stage.source / golden.FILE)
    vectors[boundary] = vectors[boundary].copy()
    vectors[boundary][place] += 1
    golden.save(stage.source / golden.FILE, vectors)
    assert stage.run() == 3
    assert "1 of " in capfd.readouterr().err


def test_a_rounding_that_qcdq_cannot_say_is_refused(stage, capfd):
    def floor(model):
        cell = next(n for n in model.graph.node if n.op_type == "QuantLSTMCell")
        attribute = next(a for a in cell.attribute if a.name == "cell_state_rounding_mode")
        attribute.CopyFrom(helper.make_attribute(attribute.name, "FLOOR"))

    stage.edit(floor)
    assert stage.run() == 2
    assert "cell_state" in capfd.readouterr().err


UNFIT = {
    "a scale that is not the sum's": (
        ("inputs", "sum"),
        {"scale": 0.5},
        "sum_next is no output of integers at one scale",
    ),
    "a scale that is not the estimate's": (("inputs", "estimate_1"), {"scale": 0.5}, "is declared at 0.5"),
    "a state of no input": (
        ("carried",),
        {"sum_1": "sum_next"},
        "carries sum_1, whose integers it must declare under inputs",
    ),
    "a state of no output": (("carried",), {"sum": "total"}, "total"),
    "no answer": ((), {"answer": None}, "carries states"),
}


@pytest.mark.parametrize("fault", UNFIT)
def test_a_definition_that_does_not_fit_the_graph_is_one_sentence(stage, capfd, fault):
    keys, change, said = UNFIT[fault]
    described = json.loads((stage.source / "model_def.json").read_text())
    place = described
    for key in keys:
        place = place[key]
    place.update(change)
    (stage.source / "model_def.json").write_text(json.dumps(described))
    assert stage.run() == 2
    message = capfd.readouterr().err
    assert said in message and message.count("\n") == 1 and "fault of microstage" not in message, message


def test_a_gain_of_what_is_no_input_is_one_sentence(stage, capfd):
    described = json.loads((stage.source / "model_def.json").read_text())
    described["inputs"]["wave"] = described["inputs"]["window"]
    described["gain"]["inputs"] = {"wave": "waveform"}
    (stage.source / "model_def.json").write_text(json.dumps(described))
    assert stage.run() == 2
    message = capfd.readouterr().err
    assert "has a gain of wave, which is no input of the network: window, " in message and message.count("\n") == 1


def test_a_weight_whose_scale_is_computed_is_one_sentence(stage, capfd):
    def compute(model):
        constants = {i.name for i in model.graph.initializer}
        weight = next(n for n in model.graph.node if n.op_type == "Quant" and n.input[0] in constants)
        model.graph.node.insert(0, helper.make_node("Abs", [weight.input[1]], ["size"]))
        weight.input[1] = "size"

    stage.edit(compute)
    assert stage.run() == 2
    message = capfd.readouterr().err
    assert "size is computed; expected a constant." in message and message.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"not onnx"])
def test_a_file_that_is_no_model_is_one_sentence(stage, capfd, content):
    (stage.source / "brevitas_export_model.onnx").write_bytes(content)
    assert stage.run() == 2
    assert capfd.readouterr().err.count("\n") == 1
