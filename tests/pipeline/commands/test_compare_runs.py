"""`make compare RUNS=`: finished trainings beside each other, by what differs among them."""

from __future__ import annotations

import json

from microstage_runner.artefacts.artefact import Artefact
from microstage_runner.pipeline.rendering import EXPLAINED


def test_runs_stand_beside_each_other_by_what_differs_alone(toy):
    for cycles in ("0.5", "1"):
        assert toy.call("second", f"CYCLES={cycles}")[0] == 0
    runs = [toy.path("first", f"CYCLES={cycles}").name for cycles in ("0.5", "1")]
    toy.ran()
    code, out, err = toy.call("compare", f"RUNS={runs[0][:8]} {runs[1][:8]}")
    assert code == 0 and toy.ran() == [], err
    head, *rows = out.splitlines()[:3]
    assert head.split()[:2] == ["run", "cycles"] and "times" not in head and "model" not in head
    assert [row.split()[:2] for row in rows] == [[runs[0], "0.5"], [runs[1], "1.0"]]
    page = out.splitlines()[-1].removeprefix("page: ")
    found = json.loads(open(page).read())["facts"]  # the toy's page is what was asked for
    assert [run["parameters"] for run in found["comparison"]["runs"]] == [{"cycles": 0.5}, {"cycles": 1.0}]
    assert found["verdict"]["state"] == "proven" and found["verdict"]["notes"][0].endswith("as far as second.")
    assert found["comparison"]["layers"] == [] and out.count("`make explain RUN=") == 2


def test_the_error_of_each_layer_is_that_of_the_explanation_of_the_very_run(toy):
    """One that a run of other artefacts was explained by is not taken for it."""
    for cycles in ("0.5", "1"):
        assert toy.call("first", f"CYCLES={cycles}")[0] == 0
    runs = [toy.path("first", f"CYCLES={cycles}") for cycles in ("0.5", "1")]
    for lost, run in zip((31.5, 12.0), runs):
        explained = run.parents[1] / "explain" / run.name
        explained.mkdir(parents=True)
        digest = Artefact(run, json.loads((run / "manifest.json").read_text())).digest
        layers = [{"layer": "conv1", "by_itself_db": lost}, {"layer": "fc", "by_itself_db": None}]
        (explained / "explain.json").write_text(json.dumps({"layers": layers}))
        (explained / EXPLAINED).write_text(json.dumps({"artefacts": [digest]}))
    code, out, err = toy.call("compare", f"RUNS={runs[0].name} {runs[1].name}")
    assert code == 0 and "make explain" not in out, err
    found = json.loads(open(out.splitlines()[-1].removeprefix("page: ")).read())["facts"]["comparison"]["layers"]
    by_run = {row["run"]: row["sqnr_db"] for row in found if row["layer"] == "conv1"}
    assert by_run == {runs[0].name: 31.5, runs[1].name: 12.0} and len(found) == 4


def test_what_cannot_be_compared_is_a_sentence(toy):
    assert toy.call("first")[0] == 0
    run = toy.path("first").name
    wrong = {
        (f"RUNS={run}",): "does not name two or more different runs",
        (f"RUNS={run} {run[:6]}",): "does not name two or more different runs",
        (f"RUNS={run} zz",): "zz is no run of this volume",
        (f"RUNS={run} {run}", "CYCLES=1"): "CYCLES=1 has no use beside RUNS=",
    }
    for words, said in wrong.items():
        code, _, err = toy.call("compare", *words)
        assert code == 2 and said in err and len(err.splitlines()) == 1, err
