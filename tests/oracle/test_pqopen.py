"""Ours beside pqopen-lib, which knows nothing of us.

Its spectra, groups and distortion, its own path from raw samples, and its events.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from daqopen.channelbuffer import AcqBuffer, DataChannelBuffer
from pqopen.eventdetector import EventDetectorLevelHigh, EventDetectorLevelLow
from pqopen.powerquality import calc_harmonics, calc_interharmonics, calc_thd, resample_and_fft
from pqopen.powersystem import PowerSystem

from microstage.datasets.power import ev_cpw
from microstage.datasets.recordings.waveform import Waveform
from microstage.estimation.events import events, rms_of_cycles
from microstage.estimation.record import Synchronous
from microstage.estimation.steps import HALF, steps
from microstage.signals import SAMPLES_PER_CYCLE, groups, harmonic_amplitudes, subgroups, thd
from microstage.signals.harmonics import spectrum
from microstage.signals.synchronous import fundamental_frequency

ORDERS = tuple(range(1, 26))
ROOT = np.sqrt(2)
DATA = Path(os.environ.get("MICROSTAGE_DATA_DIR", "/none")) / "ev_cpw"


def drawn(cycles: int, seed: int) -> np.ndarray:
    """Synchronous cycles of everything: harmonics of every order up to 25, interharmonics, noise, DC."""
    rng = np.random.Generator(np.random.PCG64(seed))
    turns = np.arange(cycles * SAMPLES_PER_CYCLE) / SAMPLES_PER_CYCLE
    orders = np.concatenate([ORDERS, rng.uniform(1, 25, 6)])
    sizes = rng.uniform(0.01, 1, len(orders)) * 100 / orders
    x = sum(a * np.cos(2 * np.pi * h * turns + p) for h, a, p in zip(orders, sizes, rng.uniform(0, 6, len(orders))))
    return x + 3 + rng.normal(0, 0.3, len(turns))


@pytest.mark.parametrize("cycles", [10, 12])
@pytest.mark.parametrize("seed", range(5))
def test_spectrum_and_subgroups_are_theirs(cycles, seed):
    x = drawn(cycles, seed)
    theirs = resample_and_fft(x, len(x))
    assert spectrum(x, cycles)[1:-1] / ROOT == pytest.approx(np.abs(theirs[1:-1]), rel=1e-9)
    sizes, _ = calc_harmonics(theirs, cycles, ORDERS[-1])
    assert subgroups(x, cycles, ORDERS) / ROOT == pytest.approx(sizes[1:], rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_groups_hold_what_subgroups_and_theirs_between_them_hold(seed):
    """Of all orders together: a group's outermost bins, halved, are its neighbours' as well."""
    x = drawn(10, seed)
    theirs = resample_and_fft(x, len(x))
    ours = (groups(x, 10, ORDERS) ** 2).sum() / 2
    sizes, between = calc_harmonics(theirs, 10, 25)[0], calc_interharmonics(theirs, 10, 25)
    ends = (np.abs(theirs[2:5]) ** 2).sum() + np.abs(theirs[5]) ** 2 / 2  # between the mean and H1, below its group
    above = (np.abs(theirs[252:255]) ** 2).sum() + np.abs(theirs[255]) ** 2 / 2
    assert ours == pytest.approx((sizes[1:] ** 2).sum() + (between[:25] ** 2).sum() - ends + above, rel=1e-9)


def test_distortion_is_theirs_where_there_are_odd_orders_alone():
    turns = np.arange(640) / 64
    x = sum(a * np.cos(2 * np.pi * h * turns + h) for h, a in ((1, 40), (3, 6), (5, 3), (7, 1.5)))
    theirs = calc_thd(calc_harmonics(resample_and_fft(x, 640), 10, 7)[0], 7)
    assert 100 * thd(harmonic_amplitudes(x, 10)) == pytest.approx(theirs, rel=1e-9)


def raw(rate: int, mains: float, seconds: float, size=1.0) -> tuple[np.ndarray, tuple[float, ...]]:
    t, amplitudes = np.arange(round(rate * seconds)) / rate, (325.0, 8.0, 5.0, 3.0)
    return size * sum(a * np.cos(2 * np.pi * mains * h * t + h) for h, a in zip((1, 3, 5, 7), amplitudes)), amplitudes


def by_themselves(x: np.ndarray, rate: float, nominal: int) -> tuple[np.ndarray, float]:
    """Return (peak values [n, 4] of each block of 10 or 12 cycles, frequency in Hz).

    Zero crossings, resampling and grouping are pqopen's.
    """
    buffer = AcqBuffer(size=len(x) + 16)
    system = PowerSystem(buffer, rate, nominal_frequency=nominal, nper={50: 10, 60: 12}[nominal])
    system.add_phase(u_channel=buffer)
    system.enable_harmonic_calculation(10)
    for first in range(0, len(x), 2000):
        buffer.put_data(x[first : first + 2000])
        system.process()
    sizes = np.array(system.output_channels["U1_H_rms"].read_data_by_acq_sidx(0, len(x))[0])
    frequency = np.array(system.output_channels["Freq"].read_data_by_acq_sidx(0, len(x))[0])
    return ROOT * sizes[1:, [1, 3, 5, 7]], float(np.median(frequency))


@pytest.mark.parametrize("nominal,mains,rate", [(50, 50.3, 20000), (60, 59.4, 25600)])
def test_from_raw_samples_both_come_to_the_same_values_and_the_same_frequency(nominal, mains, rate):
    x, amplitudes = raw(rate, mains, 2)
    theirs, frequency = by_themselves(x, rate, nominal)
    own = fundamental_frequency(x, rate, nominal)
    assert own == pytest.approx(mains, abs=1e-4) and frequency == pytest.approx(own, abs=0.01) and len(theirs) > 5
    ours = steps(Synchronous.of(Waveform(x, rate, "V"), own), HALF, HALF, nominal).full
    assert ours == pytest.approx(np.tile(amplitudes, (len(ours), 1)), rel=1e-3)
    assert theirs == pytest.approx(
        np.tile(ours.mean(0), (len(theirs), 1)), rel=0.01
    )  # which interpolate samples by straight lines


@pytest.mark.parametrize("seed", range(4))
def test_sags_and_swells_begin_and_end_in_the_half_cycle_that_theirs_do(seed):
    rate, rng = 6400, np.random.Generator(np.random.PCG64(seed))
    x, _ = raw(rate, 50.0, 3)
    t = np.arange(len(x)) / rate
    for first in (0.5, 1.3, 2.1):
        x *= np.where(
            (t > first) & (t < first + rng.uniform(0.03, 0.4)), rng.choice([0.5, 0.8, 0.89, 0.94, 1.12, 1.4]), 1.0
        )
    channel = Synchronous.of(Waveform(x, rate, "V"), 50.0)
    rms = rms_of_cycles(channel.samples)
    reference = np.median(rms)
    expected = []
    for kind, limit in ((EventDetectorLevelLow, 0.9), (EventDetectorLevelHigh, 1.1)):
        level = DataChannelBuffer("level", size=1000)
        level.put_data_multi(np.arange(len(rms)), rms / reference)
        found = kind(limit, 0.02, level).process(0, len(rms))
        expected += [(event["start_sidx"], event["stop_sidx"]) for event in found]
    middle = channel.time(np.arange(len(rms)) * HALF + (SAMPLES_PER_CYCLE - 1) / 2)
    found = [
        (int(np.argmin(abs(middle - 0.005 - e.start))), int(np.argmin(abs(middle - 0.005 - e.end))))
        for e in events(channel)
    ]
    assert found == sorted(expected) and len(found) >= 2


@pytest.mark.skipif(
    not DATA.is_dir(),
    reason="MICROSTAGE_DATA_DIR names no folder with ev_cpw; its recordings are not part of the repository",
)
def test_recordings_of_vehicles_have_the_spectrum_that_theirs_have():
    files = sorted(DATA.glob("*/Waveform_*.csv"))[::6]
    for path in files:
        for kind in ("current", "voltage"):
            x = ev_cpw.read(path, kind).samples
            theirs = calc_harmonics(resample_and_fft(x, len(x)), 8, 20)[0]
            assert subgroups(x, 8, range(1, 20)) / ROOT == pytest.approx(theirs[1:20], rel=1e-9)
    assert len(files) > 8
