"""Sweeps: every combination once, a failing one named and the others done."""

from types import SimpleNamespace

import pytest

from microstage.errors import ModelError, ParameterError
from microstage_runner.commands.sweep import combinations, sweep


def step(tmp_path, **metrics):
    proof = {"boundary": "x", "compared": 10, "equal": 9, "explained_ties": 1}
    model = {"model": "harmonic"} if "test.mae.network" in metrics else {}
    about = {"metrics": metrics, "verification": [proof], "parameters": {"epochs": 8, **model}}
    return SimpleNamespace(artefact=SimpleNamespace(about=about, checked=lambda: tmp_path, run={"seconds": 12.3}))


def estimator(tmp_path):
    return [step(tmp_path, **{"test.mae.network": [0.1, 0.2, 0.3, 0.4], "test.thd_error.network": 0.005})]


def classifier(tmp_path):
    trained = step(tmp_path, **{"test.accuracy": 0.9317, "test.examples": 10000})
    return [trained, step(tmp_path, **{"streamlined.accuracy": 0.9316, "streamlined.answers": 10000})]


@pytest.fixture
def described(tmp_path):
    """A folder with what every training leaves."""
    (tmp_path / "model_def.json").write_text('{"weights": 1234, "multiply_accumulates": 5678}')
    return tmp_path


def test_every_combination_in_order_and_paths_with_commas_left_alone():
    varied, runs = combinations({"CYCLES": "0.5,1", "SEED": "1,2", "DATA_DIR": "/a,b"})
    assert varied == ["CYCLES", "SEED"] and [(r["CYCLES"], r["SEED"]) for r in runs] == [
        ("0.5", "1"),
        ("0.5", "2"),
        ("1", "1"),
        ("1", "2"),
    ]
    assert all(r["DATA_DIR"] == "/a,b" for r in runs)
    with pytest.raises(ParameterError, match="needs a list"):
        combinations({"CYCLES": "1"})


def test_a_failing_run_is_named_and_the_others_are_done(described, capsys):
    (described / "estimates.json").write_text(
        '{"parts": {"a": {"slowest_layer_cycles": 7, "resources": {"LUT": 5, "BRAM_18K": 1, "DSP": 0}},'
        ' "b": {"slowest_layer_cycles": 9, "resources": {"LUT": 6, "BRAM_18K": 0, "DSP": 2}}}}'
    )

    def run(typed):
        if typed["SEED"] == "2":
            raise ModelError("It cannot be.")
        return estimator(described)

    assert sweep({"SEED": "1,2,3"}, run) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "microstage: It cannot be." in lines
    table = [line.split() for line in lines[-3:]]
    row = [
        "1",
        "0.100",
        "0.200",
        "0.300",
        "0.400",
        "0.50",
        "%",
        "8",
        "12",
        "10",
        "0",
        "1",
        "1,234",
        "5,678",
        "9",
        "11",
        "1",
        "2",
    ]
    assert table[0] == row == ["1", *table[2][1:]]
    assert table[1] == ["2", "yes"]


def test_networks_of_different_kinds_fill_columns_of_their_own(described, capsys):
    assert sweep({"MODEL": "a,b"}, lambda typed: (estimator if typed["MODEL"] == "a" else classifier)(described)) == 0
    head, *rows = (line.split("  ") for line in capsys.readouterr().out.splitlines()[-3:])
    head, *rows = ([cell.strip() for cell in row if cell] for row in (head, *rows))
    assert head[:6] == ["MODEL", "H1", "H3", "H5", "H7", "THD"] and {
        "top-1",
        "integers' top-1",
        "epochs",
        "seconds",
    } <= {*head}
    assert rows[1][:5] == ["b", "8", "12", "20", "0"] and rows[1][-4:] == ["93.17 %", "10,000", "93.16 %", "10,000"]


def test_a_network_of_ones_own_tells_what_it_measured(tmp_path, capsys):
    (tmp_path / "model_def.json").write_text("{}")
    assert sweep({"WIDTH": "6,8"}, lambda typed: [step(tmp_path, **{"test.loss": 0.125, "train.loss": 0.1})]) == 0
    *_, head, first, second = (line.split() for line in capsys.readouterr().out.splitlines())
    assert head[:2] == ["WIDTH", "test.loss"] and first[:2] == ["6", "0.125"] and second[:2] == ["8", "0.125"]
