"""`make compare RUNS=`: finished trainings beside each other, by what differs among them."""

from __future__ import annotations

import json


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
