"""The tables that training tells: which window is compared with which truth, and what each method has seen by then."""

import numpy as np
import pytest
import torch

from microstage.datasets.power.loading import waveforms
from microstage.datasets.power.stress import CONDITIONS
from microstage.models.harmonic.answers import Methods
from microstage.models.harmonic.evaluation import evaluate
from microstage.models.harmonic.steps import Answers
from microstage.signals import half_cycle_coefficients

OFFSET = 0.25


class Formula:
    """A network that is the half-cycle DFT of each step, and whose correction is a quarter of the gain."""

    def eval(self):
        return self

    def sequence(self, window, shift):
        found = torch.from_numpy(half_cycle_coefficients(window.numpy()))
        total = torch.cat([found.real, found.imag], dim=-1)
        one = torch.ones_like(found.real)
        return Answers(OFFSET * one, total, total, one, one, one)


@pytest.fixture(scope="module", params=[1, 2], ids=["half a cycle", "a cycle"])
def told(request):
    data = waveforms("generator", None, length=32, window=request.param, case="A1", seed=3)
    return (
        request.param,
        data,
        evaluate(data, Methods(Formula(), Formula(), 12, request.param, data.fitted), "current", 60),
    )


def test_the_correction_is_told_apart_and_windows_are_held_against_their_own_ends(told):
    steps, data, metrics = told
    mae = {
        name.rpartition(".")[2]: np.array(errors) for name, errors in metrics.items() if name.startswith("test.mae.")
    }
    last = np.abs(
        np.abs(half_cycle_coefficients(data.test.windows[:, steps - 1])) - data.test.truth[:, steps - 1]
    ).mean(0)
    assert mae["uncorrected"] == pytest.approx(last, rel=0.02) and (mae["network"] > 0.9 * OFFSET * 128).all()
    whole = np.abs(half_cycle_coefficients(data.test.windows[:, :steps].reshape(len(data.test), -1)))
    wanted = np.abs(whole - data.test.truth[:, 0]).mean(0)
    assert mae["half_cycle_dft"] == pytest.approx(wanted) and mae["integer_dft"] == pytest.approx(wanted, rel=0.02)
    assert ("running_mean" in mae) == (steps > 1)
    assert mae["constant"] == pytest.approx([0.5, 0.15, 0.1, 0.075], rel=0.1), (
        "the published jitter is all that is there"
    )


def test_means_gain_from_half_cycle_to_half_cycle_and_what_looks_at_one_step_does_not(told):
    after = told[2]["test.after"]
    assert list(after) == ["1", "2", "4", "8"]
    for name in ("half_cycle_dft", "uncorrected"):
        assert after["8"][name][1] == pytest.approx(after["1"][name][1], rel=0.15)
    for name in ("running_mean", "running_dft"):
        assert after["8"][name][1] < 0.5 * after["1"][name][1]
        assert after["1"][name] == after["1"]["half_cycle_dft"]


def test_windows_behind_a_step_are_wholly_behind_it(told):
    """What sees one step alone errs there as it does anywhere; a mean that goes on drags the past along."""
    behind, after = told[2]["test.behind"], told[2]["test.after"]
    assert list(behind) == ["1", "2", "3", "4"]
    for errors in behind.values():
        assert errors["half_cycle_dft"][1] == pytest.approx(after["1"]["half_cycle_dft"][1], rel=0.6)
        assert errors["running_mean"][0] > 5 * errors["half_cycle_dft"][0] > errors["gated_mean"][0]


def test_stress_is_told_by_condition_and_a_step_by_its_delay(told):
    stress, response = told[2]["test.stress"], told[2]["test.response"]
    assert [of["condition"] for of in stress] == list(CONDITIONS)
    clean = stress[0]["methods"]
    assert max(clean["half_cycle_dft"]["mae"]) < 1e-9 and clean["network"]["mae"][0] == pytest.approx(
        OFFSET * 64, rel=0.01
    )
    assert np.shape(clean["network"]["errors"]) == (4, 51) and stress[0]["amplitude"][0] == pytest.approx(40)
    assert max(of["methods"]["interpolated_dft"]["mae"][1] for of in stress[6:9]) < 0.01, (
        "the ceiling follows the frequency"
    )
    at_once = response["half_cycle_dft"]
    assert at_once["settled"] == 1 and 32 <= at_once["mean"] < at_once["worst"] <= 63
    assert response["uncorrected"] == at_once and response["network"] == {"settled": 0.0}


def test_a_step_that_is_not_half_a_cycle_is_told_alone():
    data = waveforms("generator", None, length=45, case="A1", seed=3)
    metrics = evaluate(data, Methods(Formula(), Formula(), 12, 1, data.fitted), "voltage", 50)
    assert metrics["test.after"] == metrics["test.behind"] == metrics["test.response"] == {}
    assert [of["condition"] for of in metrics["test.stress"]] == list(CONDITIONS)[:-1]
