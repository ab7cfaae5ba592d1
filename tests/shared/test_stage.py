"""What a stage is promised, and what it cannot get away with."""

from __future__ import annotations

import json

import pytest

from microstage.errors import DatasetError, VerificationError
from microstage.stage import Job, stage_main


def call(tmp_path, run, *words):
    return stage_main("toy", run, [*words, "--out", str(tmp_path / "out"), "--scratch", str(tmp_path / "scratch")])


def test_a_stage_gets_its_inputs_and_typed_parameters(tmp_path):
    (tmp_path / "data").mkdir()
    seen = {}

    def run(job):
        seen.update(job.parameters, inputs=job.inputs)
        job.metric("error", 0.5)
        job.verified("window", 4, 3, explained_ties=1)

    words = ["--in", f"data={tmp_path / 'data'}", "--set", "cycles=0.5", "--set", 'model="harmonic"', "--set", "seed=1"]
    assert call(tmp_path, run, *words) == 0
    assert seen == {"cycles": 0.5, "model": "harmonic", "seed": 1, "inputs": {"data": tmp_path / "data"}}
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["metrics"] == {"error": 0.5}
    assert report["verification"] == [{"boundary": "window", "compared": 4, "equal": 3, "explained_ties": 1}]


def test_an_error_is_one_line_and_its_code(tmp_path, capsys):
    def run(job):
        raise DatasetError("loads.csv, row 3: the current is not a number.")

    assert call(tmp_path, run) == 2
    assert capsys.readouterr().err == "microstage toy: loads.csv, row 3: the current is not a number.\n"
    assert not (tmp_path / "out/report.json").exists()


@pytest.mark.parametrize(("compared", "equal", "ties"), [(0, 0, 0), (3, 2, 0), (3, 3, 1)])
def test_comparing_nothing_or_an_unexplained_difference_ends_with_code_3(tmp_path, compared, equal, ties):
    assert call(tmp_path, lambda job: job.verified("hidden", compared, equal, ties)) == 3


def test_a_verification_error_names_the_boundary(tmp_path):
    job = Job({}, {}, tmp_path, tmp_path)
    with pytest.raises(VerificationError, match="At hidden 1 of 3"):
        job.verified("hidden", 3, 2)


def test_ctrl_c_ends_quietly(tmp_path, capsys):
    def run(job):
        raise KeyboardInterrupt

    assert call(tmp_path, run) == 130
    assert capsys.readouterr().err == ""


def test_an_output_folder_in_use_is_refused(tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old").write_text("")
    assert call(tmp_path, lambda job: None) == 2
    assert "is not empty" in capsys.readouterr().err
