"""Pooling folds: each source once, means over windows, a harmonic that is lost said to be lost, limits."""

import pytest

from microstage.errors import ParameterError
from microstage.models.harmonic.accuracy import folds_of, nominal_of, pooled, tables
from microstage.models.harmonic.instrument import largest_error, share_within
from microstage_runner.cli import main


def source(windows, amplitude, mae):
    errors = {"mae": mae, "worst": [2 * e for e in mae], "thd_error": 0.01}
    copied = {**errors, "mae": [2 * e for e in mae]}
    return {
        "windows": windows,
        "amplitude": amplitude,
        "methods": {"network": errors, "half_cycle_dft": errors, "constant": copied},
    }


def fold(name, found, **parameters):
    """What is known of a training: the network errs by as many hundredths as there are windows,
    the DFT by twice that.
    """
    size = found["windows"] / 100
    steps = {str(n): {"network": [size / n] * 4, "half_cycle_dft": [2 * size] * 4} for n in (1, 2)}
    quantiles = [[0.0, size, 3 * size]] * 4  # an eighth below a quarter of the size, all below three times it
    told = {
        "network": {"mae": [size] * 4, "errors": quantiles},
        "half_cycle_dft": {"mae": [2 * size] * 4, "errors": quantiles},
    }
    told["interpolated_dft"] = {"mae": [0.0] * 4}
    metrics = {
        "test.unit": "A",
        "test.windows": found["windows"],
        "test.by_source": {name: found},
        "test.after": steps,
        "test.behind": steps,
        "test.stress": [{"condition": "clean", "amplitude": [40, 2, 1, 0.5], "methods": told}],
        "test.response": {
            "network": {"mean": size, "worst": found["windows"], "settled": 1.0},
            "gated_mean": {"settled": 0.0},
        },
    }
    about = {"dataset": "ev-cpw", "synthetic": 0.5, "cycles": 0.5, "frequency": 60, **parameters}
    return {"parameters": about, "metrics": metrics}


def rows_of(folds, nominal=None):
    text = tables(pooled(folds, nominal))
    return text, {
        (block.splitlines()[0].split("  ")[0], line.split("  ")[0]): line.split()
        for block in text.split("\n\n")[1:]
        for line in block.splitlines()
    }


ONE, TWO = source(10, [10, 1, 1, 0.1], [0.1, 0.1, 0.1, 0.2]), source(30, [20, 1, 1, 1], [0.3, 0.1, 0.1, 0.1])


def test_means_are_over_windows_and_a_lost_harmonic_is_called_lost():
    text, rows = rows_of([fold("car", ONE), fold("bus", TWO)])
    assert rows["H1", "all"] == ["all", "17.500", "0.250", "0.250"]
    assert rows["H7", "car"] == ["car", "0.100", "0.200", "lost", "0.200", "lost"]
    assert rows["H1", "worst window"][-1] == "0.600" and rows["H1", "all, relative to H1"][-2:] == ["1.43", "%"]
    assert rows["every method, the same windows", "constant answer"][2:] == [
        "0.500",
        "0.200",
        "0.200",
        "0.250",
        *["2.00"] * 4,
    ]
    assert rows["half cycles from the start, A", "quantised network"][2:] == [*["0.250"] * 4, *["0.125"] * 4]
    assert rows["samples to within 5 % behind a step to half", "quantised network"][2:] == ["0", "30", "100.00", "%"]
    assert rows["samples to within 5 % behind a step to half", "gated mean"][2:] == ["-", "-", "0.00", "%"]
    assert "40 windows of 0.5 cycles from 2 sources" in text and text.index("bus") < text.index("car")
    assert "nothing is told beyond half of a record" in text and "No recording was trained on" not in text
    assert "No recording was trained on" in rows_of([fold("car", ONE, synthetic=1)])[0]


def test_shares_within_the_standards_limits_follow_the_nominal_value():
    """Errors up to 0.3 A at 10 windows; H1 is 40 A, whose limit is 2 A, and H7 0.5 A."""
    for nominal, of_class in ((10, [100, 50, 25, 13]), (32, [100, 50, 34, 34]), (1000, [100] * 4)):
        rows = rows_of([fold("car", ONE)], nominal)[1]
        shares = rows[f"percent within IEC 61000-4-7, {nominal} A nominal", "clean"][1:]
        assert [int(share) for share in shares[:4]] == pytest.approx(of_class, abs=1) and len(shares) == 16
    assert nominal_of({}) is None and nominal_of({"NOMINAL": "16"}) == 16
    for wrong in ("0", "-1", "nan", "inf", "16 A"):
        with pytest.raises(ParameterError, match="expected a positive number of A or V"):
            nominal_of({"NOMINAL": wrong})


def test_limits_of_iec_61000_4_7():
    """Table 1: 5 % of what is not small, else a share of the nominal value; here peaks of rms values."""
    peak = 2**0.5
    table = {
        ("V", "I"): (0.01, 0.0005),
        ("V", "II"): (0.03, 0.0015),
        ("A", "I"): (0.03, 0.0015),
        ("A", "II"): (0.1, 0.005),
    }
    for (unit, of_class), (small, share) in table.items():
        assert largest_error(peak * 230 * small * 2, 230, unit, of_class) == pytest.approx(
            peak * 230 * small * 2 * 0.05
        )
        assert largest_error(peak * 230 * small / 2, 230, unit, of_class) == pytest.approx(peak * 230 * share)
    assert [share_within([0.0, 1.0, 3.0], largest) for largest in (0.5, 1.0, 2.0, 3.0, 9.0)] == [
        0.25,
        0.5,
        0.75,
        1.0,
        1.0,
    ]
    assert share_within([1.0, 2.0], 0.5) == 0.0


def test_folds_are_not_for_the_user_to_choose():
    assert [typed["FOLD"] for typed in folds_of({"DATASET": "ev-cpw", "NOMINAL": "16"})] == ["0", "1", "2", "3"]
    assert folds_of({"CYCLES": "1"}) == [{"CYCLES": "1"}]
    with pytest.raises(ParameterError, match="leave FOLD= out"):
        folds_of({"DATASET": "ev-cpw", "FOLD": "1"})


def test_a_classifier_has_no_folds_to_pool(tmp_path, capsys):
    assert main(["accuracy", "MODEL=tfc-1w1a", f"VOLUMES={tmp_path}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "make sweep MODEL=" in line
