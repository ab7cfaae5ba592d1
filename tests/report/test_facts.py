"""What a page says of a run, from folders as stages publish them."""

import json
import re
import shutil

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from places import FIXTURES

from microstage.interface import golden
from microstage_report.facts import PublishedRun, facts_of, facts_of_recording


def publish(folder, stage, verification=(), metrics=None, parameters=None, **files):
    """Write the artefact of a stage, with JSON `files` by their stems; return its folder."""
    place = folder / stage / "0123456789abcdef"
    place.mkdir(parents=True, exist_ok=True)
    about = {"stage": stage, "key": f"key of {stage}", "parameters": parameters or {}, "inputs": {}}
    about |= {"recipe": {"digest": "a recipe"}, "metrics": metrics or {}, "verification": list(verification)}
    (place / "manifest.json").write_text(json.dumps({"microstage": about}))
    for name, said in files.items():
        (place / f"{name}.json").write_text(json.dumps(said))
    return place


def proven(compared, ties=0):
    """What a stage says that it compared."""
    return {"boundary": "any", "compared": compared, "equal": compared - ties, "explained_ties": ties}


def facts(*places, **more):
    return facts_of(PublishedRun.of({"steps": [*map(str, places)], "command": "make any", **more}))


def test_harmonics_are_put_together_again_with_the_recordings_own_phases(tmp_path):
    """A recording of exactly what was answered is met by its reconstruction."""
    reference = publish(tmp_path, "qcdq", parameters={"frequency": 60}, metrics={"test.unit": "V"})
    for file in (FIXTURES / "qcdq").iterdir():
        shutil.copy(file, reference)
    vectors = golden.load(reference / golden.FILE)
    time, count = 2 * np.pi * np.arange(vectors["waveform"].shape[1]) / 64, len(vectors["waveform"])
    wave = 40 * np.cos(time + 0.3) + 3 * np.cos(3 * time - 1) + 2 * np.cos(7 * time + 2)
    vectors["waveform"] = np.tile(wave.astype(np.float32), (count, 1))
    vectors["truth"] = np.broadcast_to([40.0, 3, 0, 1], (count, vectors["truth"].shape[1], 4))
    vectors["real.amplitudes"] = np.broadcast_to(np.float32([40, 3, 0, 2]), vectors["truth"].shape)
    golden.save(reference / golden.FILE, vectors)
    found = facts(reference)
    signal = found["signal"]
    assert found["kind"] == "harmonic" and signal["unit"] == "V"
    assert signal["seconds"][1] - signal["seconds"][0] == pytest.approx(1 / (64 * 60), abs=1e-6)
    assert np.allclose(signal["reconstruction"], signal["waveform"], atol=1e-3) and max(signal["waveform"]) > 40
    assert [row["error"] for row in signal["spectrum"]] == [0, 0, 0, 1]
    assert [row["harmonic"] for row in signal["spectrum"]] == [1, 3, 5, 7]


def test_an_fpga_is_shown_as_the_stage_counted_it_with_a_clock_only_where_it_was_placed(tmp_path):
    said = {"device": "ECP5-25", "cycles_per_frame": 999, "fits": "It does not fit.", "cells": {}}
    said |= {"takes": {"LUT4": 48, "odd": 5}, "has": {"LUT4": 24}}
    found = facts(publish(tmp_path, "rtl", resources=said))["device"]
    assert found["how"] == "synthesised" and found["misfit"] == "It does not fit."
    assert found["rows"] == [
        {"resource": "LUT4", "taken": 48, "there": 24, "share": 200.0},
        {"resource": "odd", "taken": 5},
    ]
    assert [tile["unit"] for tile in found["tiles"]] == [""]
    said |= {"fits": True, "placed": {"clock_mhz": 96.2, "microseconds_per_frame": 10.4, "frames_per_second": 9}}
    found = facts(publish(tmp_path / "placed", "rtl", resources=said))["device"]
    assert (found["how"], found["misfit"]) == ("placed and routed", "")
    assert {tile["unit"]: tile["value"] for tile in found["tiles"]} == {"": 999, "MHz": 96.2, "µs": 10.4, "1/s": 9}
    assert "device" not in facts(publish(tmp_path / "none", "cbackend"))


@pytest.mark.parametrize(
    "stages, state, said",
    [
        ([[proven(10)], [proven(5)]], "proven", "All 15 integers equal over 2 stages."),
        ([[proven(10, ties=2)], [proven(5)]], "proven with ties", "13 of 15 .*; the other 2 are explained ties"),
        ([[]], "proven", "Nothing is proven yet"),
        ([[proven(4) | {"equal": 3}]], "differs", "3 of 4 integers equal over 1 stage; 1 differ"),
    ],
)
def test_the_verdict_counts_every_stage(tmp_path, stages, state, said):
    places = [publish(tmp_path, f"stage{number}", proofs) for number, proofs in enumerate(stages)]
    verdict = facts(*places)["verdict"]
    assert verdict["state"] == state and re.match(said, verdict["sentence"])


def test_answers_are_counted_class_by_class_and_only_of_data(tmp_path):
    """Integers answer; a vector that was added to prove more is no answer."""
    ends = {"scores": {"datatype": "INT8", "scale": [0.5, 0.5, 2.0], "zero_point": 0}}
    interface = {"parts": {"a": {"file": "none.onnx", "inputs": {}, "outputs": ends}}}
    place = publish(tmp_path, "streamline", [proven(9)], model_def={"classes": ["a", "b", "c"]}, interface=interface)
    answers = np.int8([[9, 1, 3], [9, 1, 1], [0, 7, 1], [5, 0, 0]])
    data = {"label": np.int64([0, 0, 1, 2]), "real": np.uint8([1, 1, 1, 0])}
    golden.save(place / golden.FILE, {"scores": answers, **data})
    found = facts(place)
    assert found["kind"] == "classifier"
    assert found["confusion"] == {"classes": ["a", "b", "c"], "counts": [[1, 0, 1], [0, 1, 0], [0, 0, 0]]}
    assert found["scores"]["rows"][0] == {"sample": 0, "scores": [4.5, 0.5, 6.0], "expected": "a"}
    assert len(found["scores"]["rows"]) == 3


def test_a_large_graph_is_folded_between_branches(tmp_path):
    place = publish(tmp_path, "export")
    nodes = [helper.make_node("Relu", [f"t{n}"], [f"t{n + 1}"]) for n in range(500)]
    nodes += [helper.make_node("Add", ["t500", "t3"], ["y"])]
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2])] for name in ("t0", "y")]
    weights = [numpy_helper.from_array(np.zeros(1, np.float32), "unused")]
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", *ends, weights)), place / "model.onnx")
    (graph,) = facts(place)["graphs"]
    assert [node["label"] for node in graph["nodes"]] == ["Relu ... Relu (3)", "Relu ... Relu (497)", "Add"]
    assert sorted(graph["edges"]) == [["n0", "n1"], ["n0", "n2"], ["n1", "n2"]]


def test_a_recording_is_set_beside_two_dfts_and_what_happened_is_named(tmp_path):
    errors = {"network": {"H1": 0.5, "H3": None}, "half": {"H1": 0.7, "H3": 0.1}}
    event = {"kind": "step", "said": "from 100 % to 50 %", "start": 0.5, "end": 0.52}
    channel = {"unit": "A", "windows": 9, "cycles_of_full_dft": 10, "mean_absolute_difference_from_full_dft": errors}
    channel |= {"thd_percent": {"network": 15.0, "half": None, "full": 15.2}, "events": [event], "remarks": []}
    summary = {"channels": {"IA": channel}, "refused": {"P": "it is no current"}, "mains": 50.1, "nominal": 50}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    asked = {"recording": str(tmp_path), "called": "x.cff", "networks": {"current": "ready"}, "command": "make it"}
    found = facts_of_recording(asked)
    assert found["verdict"]["sentence"].startswith("1 channel of x.cff: harmonics over time in 9 windows")
    assert found["verdict"]["notes"] == [
        "IA, 0.500 to 0.520 s: step, from 100 % to 50 %",
        "P was not read: it is no current",
    ]
    assert [(row["what"], row["value"], row["ours"]) for row in found["accuracy"]["rows"]] == [
        ("the network", 0.5, True),
        ("half-cycle DFT", 0.7, False),
        ("half-cycle DFT", 0.1, False),
        ("the network", 15.0, True),
    ]
