"""Trainings by id: listed, cut off and resumed, taken on."""

from __future__ import annotations

import signal


def test_a_cut_off_run_is_listed_resumed_and_taken_on(toy):
    assert "No run yet" in toy.call("runs")[1]
    process = toy.started("first", "CYCLES=2")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    code, out, err = toy.call("runs")
    (row,) = out.splitlines()[1:]
    run = row.split()[0]
    assert code == 0 and "cut off" in row and "CYCLES=2.0" in row and len(run) == 16, err
    toy.ran()
    code, out, err = toy.call("resume", f"RUN={run[:6]}")
    assert code == 0 and toy.ran() == ["first"] and run in out, err
    scratch_runs = toy.call("runs")[1].splitlines()
    assert len(scratch_runs) == 2 and "finished" in scratch_runs[1]
    code, out, err = toy.call("second", f"RUN={run[:6]}")
    assert code == 0 and toy.ran() == ["second"], err
    assert (toy.path("second", "CYCLES=2") / "double.txt").read_text() == "2.02.0"


def test_a_run_that_is_none_or_has_other_sources_is_one_sentence(toy):
    assert toy.call("first")[0] == 0
    run = toy.path("first").name
    wrong = {
        ("resume",): "RUN= is missing",
        ("resume", "RUN=zz"): "RUN=zz is no run of this volume",
        ("first", "RUN="): "RUN= is no run",
    }
    for words, said in wrong.items():
        code, _, err = toy.call(*words)
        assert code == 2 and said in err and len(err.splitlines()) == 1
    source = toy.root / "stages" / "first" / "microstage_first" / "__main__.py"
    source.write_text(source.read_text() + "# changed\n")
    code, _, err = toy.call("second", f"RUN={run}")
    assert code == 2 and "would be trained anew" in err
