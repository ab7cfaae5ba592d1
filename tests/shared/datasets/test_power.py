"""Power: EV-CPW's file format and its faults, the split by source."""

import numpy as np
import pytest

from microstage.datasets.power import ev_cpw
from microstage.datasets.power.loading import waveforms
from microstage.datasets.power.splits import assign
from microstage.errors import DatasetError
from microstage.signals import harmonic_amplitudes

AMPLITUDES = (20.0, 1.5, 0.8, 0.4)


def ev_lines(scale=1.0, phase=0.0, volts=120.0):
    turns = np.arange(4096) / 512
    current = scale * sum(a * np.cos(2 * np.pi * h * turns + phase * h) for h, a in zip((1, 3, 5, 7), AMPLITUDES))
    rows = [f"{k * 0.0325:.2f},{volts * np.cos(2 * np.pi * turns[k]):.3f},{current[k]:.6f}" for k in range(4096)]
    head = [
        "Trigger_Date,2023/08/04",
        "Trigger_Time,T 10:15",
        "Samples_Per_Cycle,512",
        "Microseconds_Per_Sample,32.552",
    ]
    return [*head, "Time (ms),Voltage (V),Current (A)", *rows]


@pytest.fixture
def vehicles(tmp_path):
    for index in range(8):
        folder = tmp_path / "ev_cpw" / f"vehicle_{index}"
        folder.mkdir(parents=True)
        for record in (1, 2):
            lines = ev_lines(scale=(index + 1) * record / 8, phase=index)
            (folder / f"Waveform_{record}.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_a_file_is_read_exactly(vehicles):
    record = ev_cpw.read(vehicles / "ev_cpw" / "vehicle_7" / "Waveform_1.csv", "current")
    assert record.source == "vehicle_7" and record.samples.shape == (512,) and record.periodic
    assert record.truth == pytest.approx(AMPLITUDES, abs=1e-5)
    assert harmonic_amplitudes(record.samples, 8) == pytest.approx(record.truth, abs=1e-9)
    assert ev_cpw.read(vehicles / "ev_cpw" / "vehicle_7" / "Waveform_1.csv", "voltage").truth[0] == pytest.approx(
        120, abs=1e-3
    )


def test_every_source_is_tested_in_one_fold():
    names = [f"v{k}" for k in range(12)]
    tested = [name for fold in range(4) for name, part in assign(names, fold).items() if part == "test"]
    assert sorted(tested) == sorted(names)
    with pytest.raises(DatasetError, match="at least 3 sources"):
        assign(["a", "b"], 0)


FAULTS = {
    "truncated": (lambda lines: lines[:3000], r"row 3000: the file ends after 2995 samples"),
    "cut in a row": (lambda lines: [*lines[:-1], "1.0,2.0"], r"row 4101: expected 3 values, found 2"),
    "empty": (lambda lines: [], r"expected 5 header rows"),
    "nan": (lambda lines: [*lines[:99], "1,2,nan", *lines[100:]], r"row 100: nan is not a sample"),
    "text": (lambda lines: [*lines[:99], "1,2,x", *lines[100:]], r"row 100: 'x' is not a number"),
    "rate": (lambda lines: [*lines[:3], "Microseconds_Per_Sample,39.06", *lines[4:]], r"row 4: .*the rate is wrong"),
    "unit": (
        lambda lines: [*lines[:4], "Time (ms),Voltage (V),Current (mA)", *lines[5:]],
        r"row 5: expected a column 'Current \(A\)'",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_file_is_one_sentence_with_file_and_row(tmp_path, fault):
    spoil, reason = FAULTS[fault]
    path = tmp_path / "car" / "Waveform_1.csv"
    path.parent.mkdir()
    path.write_text("\n".join(spoil(ev_lines())))
    with pytest.raises(DatasetError, match=reason) as caught:
        ev_cpw.read(path, "current")
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_without_recordings_says_what_it_wants(tmp_path):
    with pytest.raises(DatasetError, match="make data DATASET=ev-cpw"):
        waveforms("ev-cpw", tmp_path, length=32)
