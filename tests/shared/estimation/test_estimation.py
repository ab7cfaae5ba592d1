"""A recording estimated: every channel at one frequency, by a network that goes on from step to step.

Events, and what is shown of it all.
"""

import shutil

import numpy as np
import pytest
from mean_network import written
from places import REPOSITORY
from recorded import RATE, Estimated, combined, wave

from microstage.datasets.recordings.records import Waveform
from microstage.errors import DatasetError
from microstage.estimation.drawing import limits, names
from microstage.estimation.events import events
from microstage.estimation.record import Synchronous
from microstage.estimation.steps import steps
from microstage.estimation.tables import ChannelResult, summary, table
from microstage.signals import half_cycle_dft

AMPLITUDES = (40.0, 6.0, 3.0, 1.5)
MAINS = 50.2
TIME = np.arange(RATE) / RATE
READY = REPOSITORY / "stages" / "qcdq" / "ready"


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return dict.fromkeys(("current", "voltage"), written(tmp_path_factory.mktemp("network") / "mean"))


def three_phases():
    """Currents and voltages of three phases, an idle neutral, and a channel that is neither."""
    noise = np.random.Generator(np.random.PCG64(1)).normal(0, 1, TIME.shape)
    channels = {f"V{p}": ("kV", 0.325 * np.cos(2 * np.pi * MAINS * TIME - k)) for k, p in enumerate("ABC")}
    channels |= {f"I/{p}": ("A", wave(TIME, MAINS, AMPLITUDES, k)) for k, p in enumerate("ABC")}
    return {**channels, "IN": ("mA", noise), "T": ("degC", 20 + noise)}


def test_every_channel_of_a_record_is_estimated_at_its_one_frequency_and_nothing_is_left_out_unsaid(
    tmp_path, network, capsys
):
    found = Estimated(combined(tmp_path / "x.cff", three_phases()), network)
    said = found.summary["channels"]
    assert set(said) == {"VA", "VB", "VC", "I/A", "I/B", "I/C", "IN"} and found.summary["nominal"] == 50
    assert {channel["mains"] for channel in said.values()} == {found.summary["mains"]}
    assert found.summary["mains"] == pytest.approx(MAINS, rel=1e-6)
    assert (
        "T is in degC, which is neither of A nor of V" in found.summary["refused"]["T"]
        and "T: not estimated" in capsys.readouterr().out
    )
    for name, rows in found.rows.items():
        assert len(rows) == said[name]["windows"] > 90 and (np.diff(rows[:, 0]) > 0).all() and (rows[:, 1:] >= 0).all()
    for column in ("network", "half cycle", "full DFT"):
        picked = [place - 2 for place, name in enumerate(found.head) if name.endswith(column)]
        assert found.rows["I/B"][:, picked] == pytest.approx(
            np.broadcast_to(AMPLITUDES, (len(found.rows["I/B"]), 4)), rel=0.01
        )
        assert found.rows["VA"][:, picked[0]] == pytest.approx(325, rel=0.01)
    assert found.files == {"harmonics.csv", "summary.json", "report.json"}
    errors = said["I/A"]["mean_absolute_difference_from_full_dft"]
    rows = found.rows["I/A"]
    assert errors["half"]["H3"] == pytest.approx(np.abs(rows[:, 6] - rows[:, 10]).mean(), rel=1e-3)
    assert said["I/A"]["thd_percent"]["full"] == pytest.approx(100 * np.hypot(np.hypot(6, 3), 1.5) / 40, rel=1e-3)


def test_a_network_goes_on_through_the_record_and_begins_anew_behind_a_gap(tmp_path, network):
    noisy = wave(TIME, MAINS, AMPLITUDES) + np.random.Generator(np.random.PCG64(2)).normal(0, 2, TIME.shape)
    noisy[3000] = np.nan
    path = tmp_path / "x.csv"
    path.write_text("Time (s),Current (A)\n" + "".join(f"{t:.8f},{v:.6f}\n" for t, v in zip(TIME, noisy)))
    found = Estimated(path, network)
    rows, hole = found.rows["Current"], 3000 / RATE
    assert (
        found.summary["channels"]["Current"]["missing_samples"] == 1
        and found.summary["channels"]["Current"]["windows_left_out"] > 3
    )
    before, behind = rows[rows[:, 0] < hole], rows[rows[:, 0] > hole]
    for run in (before, behind):
        assert run[0, 1:5] == pytest.approx(run[0, 5:9], rel=0.01, abs=0.02)  # one window since the reset: its own DFT
        apart = np.abs(run[20:60, 2:5] - AMPLITUDES[1:]).mean(), np.abs(run[20:60, 6:9] - AMPLITUDES[1:]).mean()
        assert apart[0] < 0.4 * apart[1]  # the mean of many since


def test_no_amplitude_is_negative(tmp_path):
    path = combined(tmp_path / "x.cff", {"IA": ("A", wave(TIME, MAINS, (40, 0, 0, 0)))})
    rows = Estimated(path, {"current": written(tmp_path / "low", correction=-0.3)}).rows["IA"]
    assert (rows[:, 2:5] == 0).all() and (rows[:, 1] > 15).all() and (rows[:, 1] < 25).all()


def test_a_channel_of_a_kind_that_no_network_is_for_is_refused_and_the_others_go_on(tmp_path, network, capsys):
    path = combined(tmp_path / "x.cff", three_phases())
    found = Estimated(path, {"voltage": network["voltage"]})
    assert (
        set(found.summary["channels"]) == {"VA", "VB", "VC"}
        and "there is no network for one" in found.summary["refused"]["I/A"]
    )
    assert Estimated(path.rename(tmp_path / "y.cff"), {"voltage": network["voltage"]}, "VA,I/A").code == 2
    assert "y.cff, channel I/A: it is a current, and there is no network for one" in capsys.readouterr().err


@pytest.mark.parametrize(
    "channel,names_", [("ib , VA", ["I/B", "VA"]), ("voltage", ["VA", "VB", "VC"]), ("IN", ["IN"])]
)
def test_channels_are_chosen_by_kind_or_by_name_and_take_the_frequency_of_the_record(
    tmp_path, network, channel, names_
):
    found = Estimated(combined(tmp_path / "x.cff", three_phases()), network, channel.replace("ib", "i/b"))
    assert sorted(found.summary["channels"]) == names_ and found.summary["mains"] == pytest.approx(MAINS, rel=1e-6)


def channel(samples, unit="A", mains=50.0):
    return Synchronous.of(Waveform(samples, RATE, unit, name="X"), mains)


def happened(samples, unit="A"):
    return [(event.kind, round(event.start, 2), round(event.end, 2)) for event in events(channel(samples, unit))]


def between(first, last):
    return (TIME >= first) & (TIME < last)


PURE = 100 * np.cos(2 * np.pi * 50 * TIME)
DYING = np.exp(-np.maximum(TIME - 0.3, 0) / 0.08) * (TIME > 0.3)
HAPPENINGS = {
    "nothing": (PURE + 3 * np.cos(2 * np.pi * 100 * TIME) + 4, "A", []),
    "sag": (PURE * np.where(between(0.4, 0.5), 0.7, 1), "V", [("sag", 0.4, 0.5)]),
    "a shallow one": (PURE * np.where(between(0.4, 0.5), 0.93, 1), "V", []),
    "one that hovers at its end": (
        PURE * np.where(between(0.4, 0.5), 0.85, np.where(between(0.5, 0.6), 0.91, 1)), "V", [("sag", 0.4, 0.6)],
    ),
    "swell": (PURE * np.where(between(0.4, 0.5), 1.2, 1), "V", [("swell", 0.4, 0.5)]),
    "interruption": (PURE * np.where(between(0.4, 0.5), 0.02, 1), "V", [("interruption", 0.39, 0.51)]),
    "voltage low to the end": (PURE * np.where(TIME > 0.7, 0.6, 1), "V", [("sag", 0.7, 0.98)]),
    "steps": (
        PURE * np.where(TIME > 0.7, 0.2, np.where(TIME > 0.35, 0.5, 1)), "A",
        [("step", 0.34, 0.36), ("step", 0.69, 0.71)],
    ),
    "drift": (PURE * (1 + TIME), "A", []),
    "inrush": (PURE * 0.3 + DYING * (90 + 40 * np.cos(2 * np.pi * 100 * TIME)), "A", [("inrush", 0.29, 0.55)]),
    "inrush from nothing": (PURE * (TIME > 0.3) + 200 * DYING, "A", [("inrush", 0.29, 0.51)]),
    "noise": (np.random.Generator(np.random.PCG64(3)).normal(0, 1, TIME.shape), "A", []),
}  # fmt: skip


@pytest.mark.parametrize("place", range(8))
def test_a_step_is_found_at_any_place_of_the_cycle_and_in_noise(place):
    at = 0.5 + place / 400
    noise = np.random.Generator(np.random.PCG64(place)).normal(0, 1, TIME.shape)
    ((kind, first, last),) = happened(PURE * np.where(TIME > at, 0.5, 1) + noise)
    assert kind == "step" and first <= at <= last and last - first < 0.04


@pytest.mark.parametrize("what", HAPPENINGS)
def test_events_are_found_where_they_are(what):
    samples, unit, expected = HAPPENINGS[what]
    found = happened(samples, unit)
    assert [kind for kind, *_ in found] == [kind for kind, *_ in expected]
    for (_, *times), (_, *wanted) in zip(found, expected):
        assert times == pytest.approx(wanted, abs=0.021)


def result(values, count=30):
    """A channel whose every method says `values` [4], so many times."""
    samples = channel(PURE)
    laid = steps(samples, 32, 32, 50)
    made = ChannelResult(laid, np.tile(values, (len(laid.time), 1)), [])
    made.amplitudes = {method: np.tile(np.asarray(values, float), (len(laid.time), 1)) for method in made.amplitudes}
    return made


@pytest.mark.parametrize("size", [1e-17, 1e-7, 0.012, 1.0, 39.9996, 999.96, 123456.0, 1e8, 3e15])
def test_columns_never_run_together_and_points_lie_under_each_other(size):
    lines = table(result([size, size / 7, 0.0, np.nan]), 1)
    assert len({len(line) for line in lines[2:]}) == 1 and len(lines) == 22
    for line in lines[2:]:
        assert [float(cell) for cell in line.split()[1:7]] == pytest.approx(
            [size] * 3 + [size / 7] * 3, rel=1e-3
        ) and line.split()[10:] == ["-"] * 3
    row = summary([result([size, size / 7, 0.0, np.nan]), result([1, 1, 1, 1])])[-1].split()
    assert row[:2] == ["X", "A"] and len(row) == 13


def test_one_glitch_flattens_no_axis_and_a_long_event_is_shown_whole():
    level = np.full(200, 40.0) + np.linspace(0, 1, 200)
    glitched = np.where(np.arange(200) == 77, 4000.0, level)
    low, high = limits([glitched, level], np.zeros(200, bool), 0.3)
    assert 38 < low < 40 and 41 < high < 43
    assert limits([glitched], np.arange(200) == 77, 0.3)[1] > 4000
    assert limits([np.full(3, np.nan)], np.zeros(3, bool), 0.3) == (0.0, 1.0)


def test_pictures_have_names_of_their_own():
    called = [
        ChannelResult(
            steps(Synchronous.of(Waveform(PURE, RATE, "A", name=name), 50.0), 32, 32, 50), np.zeros((1, 4)), []
        )
        for name in ("a/b", "A b", "..", "I1")
    ]
    assert names(called) == ["a_b-1", "A_b-2", "channel", "I1"]


def test_a_picture_per_channel(tmp_path, network):
    files = Estimated(combined(tmp_path / "x.cff", three_phases()), network, "I/A", pictures=True).files
    assert files == {"harmonics.csv", "summary.json", "report.json", "I_A.png"}


def test_windows_lie_at_their_time_and_the_formulas_beside_them_read_the_same_half_cycle():
    found = steps(channel(wave(TIME, 49.5, AMPLITUDES), mains=49.5), 32, 32, 50)
    windows = np.concatenate(list(found.runs()))
    t = found.time[:, None] + np.arange(-31, 1) / 64 / 49.5
    assert windows == pytest.approx(wave(t, 49.5, AMPLITUDES), abs=0.02)
    assert found.half == pytest.approx(half_cycle_dft(windows)) and found.full == pytest.approx(
        np.tile(AMPLITUDES, (len(windows), 1)), abs=0.01
    )
    assert found.cycles == 10 and found.left_out == 0


def test_a_record_of_gaps_alone_and_one_too_short_are_one_sentence(tmp_path, network, capsys):
    samples = PURE.copy()
    samples[::100] = np.nan
    with pytest.raises(DatasetError, match="all .* windows touch missing samples"):
        steps(channel(samples), 32, 32, 50)
    assert Estimated(combined(tmp_path / "x.cff", {"IA": ("A", PURE[:300])}), network).code == 2
    assert "are 2.34 cycles; at least 3.5 are needed" in capsys.readouterr().err
    assert Estimated(combined(tmp_path / "y.cff", {"IA": ("A", PURE)}), network, frequency=60).code == 2
    assert "no 60 Hz fundamental" in capsys.readouterr().err


@pytest.mark.skipif(not list(READY.glob("*/ready.json")), reason="this checkout has no ready networks; `make ready`")
def test_the_ready_networks_read_the_example(tmp_path):
    path = shutil.copyfile(REPOSITORY / "docs" / "example.cff", tmp_path / "example.cff")
    found = Estimated(path, {kind: READY / kind for kind in ("current", "voltage")})
    assert {said["mains"] for said in found.summary["channels"].values()} == {found.summary["mains"]}
    happened_ = [
        (name, event["kind"]) for name, said in sorted(found.summary["channels"].items()) for event in said["events"]
    ]
    assert happened_ == [("IA", "step"), ("IB", "inrush"), ("VA", "sag")] and not found.summary["refused"]
    for name, first, last, size in (
        ("IA", 0.1, 0.59, 40.0),
        ("IA", 0.7, 1.0, 20.0),
        ("IB", 0.8, 1.0, 20.0),
        ("VA", 0.1, 0.24, 325.0),
    ):
        rows = found.rows[name]
        steady = rows[(rows[:, 0] > first) & (rows[:, 0] < last)]
        assert np.abs(steady[:, 1] - size).mean() < 0.05 * size  # a mean remembers an inrush for a while
