"""A recording's windows: its own frequency, its gaps, the truth beside them."""

import numpy as np
import pytest
from test_recordings import AMPLITUDES, csv, current, write_comtrade

from microstage.datasets.recordings import Waveform, read_waveform
from microstage.errors import DatasetError
from microstage.estimation.drawing import table
from microstage.estimation.windows import cut
from microstage.signals import WINDOW_SCALE
from microstage.signals.synchronous import fundamental_frequency

RATE = 7812.5


def rows(samples, dropped=(), blank=()):
    return [f"{k / RATE:.7f},{'' if k in blank else f'{v:.7f}'}" for k, v in enumerate(samples) if k not in dropped]


@pytest.mark.parametrize("nominal,mains", [(50, 50.5), (60, 59.4)])
def test_windows_lie_at_their_time_and_the_dft_is_the_truth_at_one_per_cent_deviation(nominal, mains):
    found = cut(Waveform(current(RATE, mains), RATE), 32, nominal)
    assert found["mains"] == pytest.approx(mains, rel=1e-5) and found["left_out"] == 0
    assert found["dft"] == pytest.approx(np.broadcast_to(AMPLITUDES, found["dft"].shape), abs=5e-3)
    offsets = (np.arange(32) - 15.5) / 64 / mains
    t = found["time"][:, None] + offsets
    truth = sum(a * np.cos(2 * np.pi * mains * h * t + h) for a, h in zip(AMPLITUDES, (1, 3, 5, 7)))
    gain = WINDOW_SCALE * 2.0 ** found["exponent"].astype(int)[:, None]
    assert np.abs(found["window"] * gain - truth).max() < 0.52 * gain.max() + 0.02


def test_gaps_in_csv_become_nan_and_windows_that_touch_them_are_left_out(tmp_path):
    samples = current(RATE, 50.5)
    path = tmp_path / "x.csv"
    path.write_text(csv(rows(samples, dropped=range(2000, 2050), blank=(3500,))))
    waveform = read_waveform(path, "current", gaps=True)
    missing = np.flatnonzero(np.isnan(waveform.samples))
    assert len(waveform.samples) == len(samples) and missing.tolist() == [*range(2000, 2050), 3500]
    assert waveform.rate == pytest.approx(RATE, rel=1e-6)
    found, whole = cut(waveform, 32, 50), cut(Waveform(samples, RATE), 32, 50)
    assert found["missing"] == 51 and found["left_out"] == len(whole["time"]) - len(found["time"]) > 0
    kept = np.abs(whole["time"][:, None] - found["time"]).min(1) < 1e-3
    assert kept.sum() == len(found["time"])
    difference = found["window"].astype(int) * 2.0 ** found["exponent"][:, None] - whole["window"][kept] * 2.0 ** whole["exponent"][kept][:, None]
    assert np.abs(difference).max() <= 2.0 ** whole["exponent"].max()  # one step: the measured frequency differs in the sixth digit
    reach = 1.25 / 50.5
    for k in missing / RATE:
        assert np.abs(found["time"] - k).min() > reach
    with pytest.raises(DatasetError, match="not finite|not a number"):
        read_waveform(path, "current")


def test_missing_comtrade_samples_are_nan_where_gaps_are_allowed_and_an_error_elsewhere(tmp_path):
    samples = current(3840, 60)
    for kind, mark in (("ASCII", 99.999), ("BINARY", -32.768)):
        samples[700:703] = mark
        write_comtrade(tmp_path, kind, samples, 3840, kind)
        assert np.flatnonzero(np.isnan(read_waveform(tmp_path / f"{kind}.cfg", "current", "IA", gaps=True).samples)).tolist() == [700, 701, 702]
        with pytest.raises(DatasetError, match="row 701: the sample of IA is missing"):
            read_waveform(tmp_path / f"{kind}.cfg", "current", "IA")


@pytest.mark.parametrize("rate", [1920, 30707.244140625])
def test_four_cycles_of_slow_mains_are_enough(rate):
    found = cut(Waveform(current(rate, 59.9, seconds=4 / 60), rate), 32, 60)
    assert len(found["time"]) >= 5 and found["cycles"] >= 1
    assert found["dft"] == pytest.approx(np.broadcast_to(AMPLITUDES, found["dft"].shape), abs=0.1)


def test_gaps_do_not_move_the_measured_frequency():
    samples = current(RATE, 50.5)
    samples[1000:1200] = samples[3000:3040] = np.nan
    assert fundamental_frequency(samples, RATE, 50) == pytest.approx(50.5, rel=3e-4)


def test_a_record_of_gaps_alone_is_one_sentence():
    samples = current(RATE, 50.0)
    samples[::100] = np.nan
    with pytest.raises(DatasetError, match="all .* windows touch missing samples"):
        cut(Waveform(samples, RATE), 32, 50)


def test_the_table_is_thinned_evenly_and_says_where_there_is_no_dft():
    time, values = np.arange(1000.0), np.ones((1000, 4))
    dft = values.copy()
    dft[0] = np.nan
    lines = table(time, values, dft)
    assert len(lines) == 21 and lines[1].split()[1:4] == ["1", "/", "-"]
    assert [lines[k].split()[0] for k in (1, -1)] == ["0.0000", "999.0000"]
