"""Sweeps: every combination once, a failing one named and the others done."""

from types import SimpleNamespace

import pytest

from microstage.errors import ModelError, ParameterError
from microstage.runner.sweep import combinations, sweep


def step(tmp_path, mae):
    proof = {"boundary": "x", "compared": 10, "equal": 9, "explained_ties": 1}
    metrics = {"test.mae.network": mae, "test.thd_error.network": 0.005}
    return SimpleNamespace(artefact=SimpleNamespace(about={"metrics": metrics, "verification": [proof]}, folder=tmp_path))


def test_every_combination_in_order_and_paths_with_commas_left_alone():
    varied, runs = combinations({"CYCLES": "0.5,1", "SEED": "1,2", "DATA_DIR": "/a,b"})
    assert varied == ["CYCLES", "SEED"] and [(r["CYCLES"], r["SEED"]) for r in runs] == [("0.5", "1"), ("0.5", "2"), ("1", "1"), ("1", "2")]
    assert all(r["DATA_DIR"] == "/a,b" for r in runs)
    with pytest.raises(ParameterError, match="needs a list"):
        combinations({"CYCLES": "1"})


def test_a_failing_run_is_named_and_the_others_are_done(tmp_path, capsys):
    (tmp_path / "estimates.json").write_text(
        '{"parts": {"a": {"slowest_layer_cycles": 7, "resources": {"LUT": 5, "BRAM_18K": 1, "DSP": 0}},'
        ' "b": {"slowest_layer_cycles": 9, "resources": {"LUT": 6, "BRAM_18K": 0, "DSP": 2}}}}')

    (tmp_path / "model_def.json").write_text('{"weights": 1234, "multiply_accumulates": 5678}')

    def run(typed):
        if typed["SEED"] == "2":
            raise ModelError("It cannot be.")
        return [step(tmp_path, [0.1, 0.2, 0.3, 0.4])]

    assert sweep({"SEED": "1,2,3"}, run) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "microstage: It cannot be." in lines
    table = [line.split() for line in lines[-3:]]
    row = ["1", "0.100", "0.200", "0.300", "0.400", "0.50", "%", "10", "0", "1", "1,234", "5,678", "9", "11", "1", "2"]
    assert table[0] == row == ["1", *table[2][1:]]
    assert table[1] == ["2", "failed"]
