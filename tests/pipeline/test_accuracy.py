"""Pooling folds: each source once, means over windows, a harmonic that is lost said to be lost."""

import pytest

from microstage.errors import ParameterError
from microstage.runner.accuracy import folds_of, pooled, tables
from microstage.runner.cli import main


def source(windows, amplitude, mae):
    errors = {"mae": mae, "worst": [2 * e for e in mae], "thd_error": 0.01}
    return {"windows": windows, "amplitude": amplitude, "methods": {"network": errors, "half_cycle_dft": errors}}


def test_means_are_over_windows_and_a_lost_harmonic_is_called_lost():
    one, two = source(10, [10, 1, 1, 0.1], [0.1, 0.1, 0.1, 0.2]), source(30, [20, 1, 1, 1], [0.3, 0.1, 0.1, 0.1])
    folds = [{"test.by_source": {"car": one}}, {"test.by_source": {"bus": two}}]
    text = tables(pooled(folds), "A")
    rows = {(block.split()[0], line.split("  ")[0]): line.split() for block in text.split("\n\n")[1:] for line in block.splitlines()}
    assert rows["H1", "all"] == ["all", "17.500", "0.250", "0.250"]
    assert rows["H7", "car"] == ["car", "0.100", "0.200", "lost", "0.200", "lost"]
    assert rows["H1", "worst window"][-1] == "0.600" and rows["H1", "all, relative to H1"][-2:] == ["1.43", "%"]
    assert "40 windows of 2 sources" in text and text.index("bus") < text.index("car")


def test_folds_are_not_for_the_user_to_choose():
    assert [typed["FOLD"] for typed in folds_of({"DATASET": "ev-cpw"})] == ["0", "1", "2", "3"]
    assert folds_of({"CYCLES": "1"}) == [{"CYCLES": "1"}]
    with pytest.raises(ParameterError, match="leave FOLD= out"):
        folds_of({"DATASET": "ev-cpw", "FOLD": "1"})


def test_a_classifier_has_no_folds_to_pool(tmp_path, capsys):
    assert main(["accuracy", "MODEL=tfc-1w1a", f"VOLUMES={tmp_path}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "make sweep MODEL=" in line
