"""Sequences of windows: the truth of each against a fit that knows nothing of how the waveform was made."""

from dataclasses import replace

import numpy as np
import pytest
from test_power import AMPLITUDES, vehicles  # noqa: F401

from microstage.datasets.power import sequences
from microstage.datasets.power.generator import draw_world, synthesise
from microstage.datasets.power.loading import waveforms
from microstage.datasets.power.stress import CONDITIONS, STEP, stressed
from microstage.datasets.power.world import ORDERS, sequences_of
from microstage.signals import half_cycle_dft

STEPS, LENGTH = 16, 32


def rng(seed=0):
    return np.random.Generator(np.random.PCG64(seed))


def pair(turns):
    return [np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)]


def fitted(x, first, length, deviation, tau, between):
    """Complex amplitudes of H1, H3, H5, H7 at `first`, by least squares over x[first : first + length]."""
    t = np.arange(length)
    columns = [
        np.ones(length),
        np.exp(-t / tau),
        *(c for order in (*ORDERS, *between) for c in pair(order * (1 + deviation) * t / 64)),
    ]
    found = np.linalg.lstsq(np.array(columns).T, x[first : first + length], rcond=None)[0][2:]
    return (found[::2] - 1j * found[1::2])[[0, 2, 4, 6]]


@pytest.mark.parametrize("channel", ["current", "voltage"])
def test_the_truth_of_a_window_is_what_sounds_at_its_end(channel):
    """Behind every change a fit of all components finds amplitudes and phases, whatever disturbs the waveform."""
    world = draw_world(200, STEPS * LENGTH, rng(3), channel, 60)
    world = replace(world, noise=np.zeros(200))
    drawn = sequences_of(world, STEPS, LENGTH, rng(), "mix")
    x = drawn.windows.reshape(200, -1)
    long = drawn.changed <= STEPS * LENGTH - 256  # four cycles behind the change tell all 31 components apart
    assert long.sum() > 100 and (drawn.changed[long] > 0).sum() > 20
    for row in np.flatnonzero(long):
        # an onset within the last cycles would be a change that `changed` does not know of
        if STEPS * LENGTH - 256 < world.onset[row]:
            continue
        about = world.deviation[row], world.tau[row], world.between_orders[row]
        for window in (8, 10, 15):
            first = min(window * LENGTH, STEPS * LENGTH - 256)
            wanted = drawn.coefficients[row, window] * np.exp(
                2j * np.pi * np.array((1, 3, 5, 7)) * (1 + about[0]) * (first - window * LENGTH) / 64
            )
            assert np.abs(fitted(x[row], first, 256, *about) - wanted).max() < 1e-5 * world.amplitude[row]
        assert drawn.truth[row, drawn.changed[row] // LENGTH :] == pytest.approx(
            np.tile(drawn.truth[row, -1], (16, 1))[drawn.changed[row] // LENGTH :]
        )


def test_the_mix_holds_every_disturbance_and_an_epoch_draws_anew():
    world = draw_world(2000, STEPS * LENGTH, rng(1), "current", 50)
    level = np.sqrt((np.abs(world.loads) ** 2).sum((1, 2)))
    shares = {
        "frequency off": np.abs(world.deviation) * 50 > 0.5, "even orders": np.abs(world.loads[:, 0, 1]) > 0.02,
        "interharmonics": np.abs(world.between).max(1) > 0.005, "decaying DC": np.abs(world.decay) > 0.05 * level,
        "second load": (world.loads[:, 1] != 0).any(1),
        "step": world.changes[:, 0] < 512, "sag": world.changes[:, 1] < 512,
        "start from nothing": (world.gains == 0).all(2).any(1),
        "noise above 40 dB": world.noise > 0.01 * level / 2**0.5,
    }  # fmt: skip
    assert all(0.02 < share.mean() < 0.8 for share in shares.values()), {
        name: share.mean() for name, share in shares.items()
    }
    assert np.ptp(np.log10(world.amplitude)) > 2.9 and np.abs(world.deviation).max() * 50 < 2.01
    one, again, other = (synthesise("mix", 8, 4, LENGTH, generator) for generator in (rng(5), rng(5), rng(6)))
    assert (one.windows == again.windows).all() and not (one.windows == other.windows).any(axis=(1, 2)).any()
    generator = rng(5)
    assert not (
        synthesise("mix", 8, 4, LENGTH, generator).windows == synthesise("mix", 8, 4, LENGTH, generator).windows
    ).all()


def test_a_voltage_is_dominated_by_its_fundamental():
    truth = synthesise("mix", 500, 1, LENGTH, rng(), "voltage").truth[:, 0]
    heard = truth[:, 0] > 0
    assert np.median(truth[heard, 1:].sum(1) / truth[heard, 0]) < 0.08


def test_published_cases_have_their_published_amplitudes_and_noise():
    drawn = synthesise("A1", 2000, 1, 64, rng())
    truth, x = drawn.truth[:, 0], drawn.windows[:, 0]
    assert truth.min(0) == pytest.approx([99, 29.7, 19.8, 14.85], rel=1e-3) and truth.max(0) == pytest.approx(
        [101, 30.3, 20.2, 15.15], rel=1e-3
    )
    basis = np.array([c for order in (1, 3, 5, 7) for c in pair(order * np.arange(64) / 64)]).T
    noise = x - x @ np.linalg.pinv(basis).T @ basis.T
    power = (truth**2).sum(1).mean() / 2
    assert 10 * np.log10(power / (noise**2).mean() * (64 - 8) / 64) == pytest.approx(26, abs=0.6)


@pytest.fixture
def read(vehicles):  # noqa: F811
    return lambda **changed: waveforms("ev-cpw", vehicles, **{"length": LENGTH, "seed": 1, **changed})


@pytest.mark.parametrize("length", [LENGTH, 45])
def test_sequences_of_recordings_know_their_truth_through_gains_loads_and_steps(read, length):
    """These records hold odd harmonics alone: wherever half a cycle is steady its DFT is the truth."""
    data = read(length=length, synthetic=0)
    for drawn in (data.train.draw(300, rng()), data.test, data.stepped, data.validation):
        behind = (length * np.arange(STEPS) >= drawn.changed[:, None]) | (
            length * np.arange(1, STEPS + 1) <= drawn.changed[:, None]
        )
        assert np.abs(half_cycle_dft(drawn.windows) - drawn.truth)[behind].max() < 1e-4
        assert behind.all() == (drawn is data.test)
    assert data.test.windows.shape == (256, STEPS, length) and len(data.stepped) == 256
    first = half_cycle_dft(data.fitted[0].windows[:, 0]) - data.fitted[0].truth[:, 0]
    assert np.abs(first).max() < 1e-4


def test_steps_and_second_loads_are_in_half_of_what_is_drawn_and_at_any_sample(read):
    drawn = read(synthetic=0).train.draw(1000, rng())
    assert 400 < (drawn.changed > 0).sum() < 600 and len(set(drawn.changed % 32)) == 32
    stepped = read().stepped
    jump = np.abs(stepped.truth[:, -1, 0] / stepped.truth[:, 0, 0] - 1)[stepped.changed > 32]
    assert (jump > 0.01).mean() > 0.7 and AMPLITUDES[0] / 8 < stepped.truth[:, -1, 0].max()


@pytest.mark.parametrize("fold", range(4))
def test_no_source_is_in_two_of_training_validation_and_test(read, fold):
    data = read(fold=fold)
    trained = {r.source for r in data.train.recordings} | set(data.fitted[0].source.tolist())
    validated = set(data.validation.source.tolist()) - {"mix"} | set(data.fitted[1].source.tolist())
    tested = set(data.test.source.tolist()) | set(data.stepped.source.tolist())
    assert trained and validated and tested and not (trained & validated or trained & tested or validated & tested)


def test_the_generator_alone_trains_and_validates_where_its_share_is_one(read):
    data = read(synthetic=1)
    assert set(data.train.draw(8, rng()).source.tolist()) | set(data.validation.source.tolist()) == {"mix"}
    assert "mix" not in data.test.source.tolist()
    alone = waveforms("generator", None, length=LENGTH, window=2, case="A2")
    assert (
        (alone.test.changed == 0).all() and (alone.stepped.changed > 0).all() and alone.fitted[0].windows.shape[2] == 64
    )
    assert isinstance(sequences.joined([alone.test, alone.stepped]), sequences.Sequences)


@pytest.mark.parametrize("channel,size", [("current", 40.0), ("voltage", 120 * 2**0.5)])
def test_each_condition_holds_its_one_disturbance(channel, size):
    """In whose absence the half-cycle DFT is exact, and in whose presence it errs as the theory says."""
    errors = {}
    for condition in CONDITIONS:
        tried = stressed(condition, 64, STEPS, LENGTH, rng(), channel, 60)
        first = -(-tried.changed // LENGTH)
        rows = np.arange(64)
        errors[condition] = np.abs(half_cycle_dft(tried.windows[rows, first]) - tried.truth[rows, first]).mean(0) / size
        assert tried.truth[:, 0, 0] == pytest.approx(size) and (tried.changed > 0).all() == (condition == STEP)
    for condition in ("clean", "six-pulse", STEP):
        assert errors[condition].max() < 1e-9
    assert tried.truth[:, -1, 0] == pytest.approx(size / 2)
    assert errors["noise 20 dB"][0] == pytest.approx(0.1 / 2**0.5 * np.sqrt(2 / 32) * np.sqrt(2 / np.pi), rel=0.4)
    assert errors["+-2 Hz"][1] > 1.8 * errors["+-1 Hz"][1] > 3 * errors["+-0.5 Hz"][1] > 0
    assert errors["decaying DC 10 %"][0] > 0.03 and errors["H2 5 %"][0] > 0.01 and errors["interharmonics"][0] > 0.02
