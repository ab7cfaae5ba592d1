"""COMTRADE and CSV recordings, written here and read back."""

import struct

import numpy as np
import pytest

from microstage.datasets.power.loading import waveforms
from microstage.datasets.recordings import records
from microstage.errors import DatasetError

AMPLITUDES = (10.0, 3.0, 2.0, 1.0)


def current(rate, frequency, seconds=0.6):
    t = np.arange(int(rate * seconds)) / rate
    return sum(a * np.cos(2 * np.pi * frequency * h * t + h) for a, h in zip(AMPLITUDES, (1, 3, 5, 7)))


def write_comtrade(folder, name, samples, rate, kind="ASCII", unit="A", revision="1999", stamped=True):
    """Two analog channels (a voltage, then the current) and one status channel."""
    gain = 0.001
    counts = np.rint(samples / gain).astype(int)
    head = [
        f"station,device,{revision}",
        "3,2A,1D",
        "1,VA,A,bus,V,0.1,0,0,-32767,32767,1,1,P",
        f"2,IA,A,line,{unit},{gain},0,0,-32767,32767,1,1,P",
        "1,trip,,,0",
        "60",
        "1",
        f"{rate},{len(counts)}",
        "01/01/2020,00:00:00.000000",
        "01/01/2020,00:00:00.000000",
        kind,
        "1",
    ]
    (folder / f"{name}.cfg").write_text("\r\n".join(head[:1] + head[1:]) + "\r\n")
    if kind == "ASCII":
        rows = [f"{k + 1},{round(k / rate * 1e6) if stamped else ''},0,{v},0" for k, v in enumerate(counts)]
        (folder / f"{name}.dat").write_text("\r\n".join(rows) + "\r\n\x1a")
    else:
        packed = [struct.pack("<IIhhH", k + 1, round(k / rate * 1e6), 0, v, 0) for k, v in enumerate(counts)]
        (folder / f"{name}.dat").write_bytes(b"".join(packed))


@pytest.mark.parametrize(
    "kind,revision,stamped", [("ASCII", "1999", True), ("ASCII", "2013", False), ("BINARY", "1999", True)]
)
@pytest.mark.parametrize("rate,frequency", [(30720, 60.0), (6400.5, 59.7)])
def test_comtrade_amplitudes_are_found_at_any_rate_and_frequency(tmp_path, kind, revision, stamped, rate, frequency):
    write_comtrade(tmp_path, "record", current(rate, frequency), rate, kind, revision=revision, stamped=stamped)
    blocks = records.read(tmp_path / "record.cfg", tmp_path, "current", 60)
    assert len(blocks) == 2 and all(block.samples.shape == (12 * 64,) for block in blocks)
    for block in blocks:
        assert block.truth == pytest.approx(AMPLITUDES, abs=2e-3)


def test_a_folder_is_split_by_sub_folder(tmp_path):
    for source in ("a", "b", "c", "d"):
        (tmp_path / source).mkdir()
        for name in ("one", "two"):
            write_comtrade(tmp_path / source, name, current(3840, 60), 3840)
    data = waveforms("recordings", tmp_path, length=32, synthetic=0)
    trained = {r.source for r in data.train.recordings}
    sources = [trained, set(data.validation.source.tolist()), set(data.test.source.tolist())]
    assert set().union(*sources) == {"a", "b", "c", "d"} and sum(map(len, sources)) == 4
    assert (
        waveforms("recordings", tmp_path, length=96, synthetic=0).test.windows.shape[1] == 8
    )  # blocks of twelve cycles
    with pytest.raises(DatasetError, match="holds 768 samples at 64 a cycle; the window needs 800"):
        waveforms("recordings", tmp_path, length=32, window=25)


def csv(rows):
    return "\n".join(["Time (s),Current (A)", *rows])


GOOD = [f"{k / 3840:.7f},{v:.6f}" for k, v in enumerate(current(3840, 60))]
FAULTS = {
    "no header": ("\n".join(GOOD), "no header"),
    "empty": ("", "no header"),
    "no samples": (csv([]), "no samples after row 1"),
    "unit": (
        csv(GOOD).replace("(A)", "(Nm)"),
        r"row 1: no column that is a current .*; found Time \(s\), Current \(Nm\)",
    ),
    "text": (csv([*GOOD[:10], "0.1,x", *GOOD[11:]]), "row 12: 'x' is not a number"),
    "nan": (csv([*GOOD[:10], "0.0026,nan", *GOOD[11:]]), "row 12: a value is not finite"),
    "cut": (csv([*GOOD[:10], "0.0026"]), "row 12: expected 2 values, found 1"),
    "back in time": (csv([*GOOD[:10], GOOD[3], *GOOD[11:]]), "row 12: time does not run forward"),
    "gap": (csv([*GOOD[:500], *GOOD[900:]]), "not evenly spaced"),
    "slow": (csv(GOOD[::8]), "8 samples a cycle|seventh harmonic"),
    "short": (csv(GOOD[:100]), "less than two cycles"),
    "other mains": (csv([f"{k / 3840:.7f},{v:.6f}" for k, v in enumerate(current(3840, 50))]), "no 60 Hz fundamental"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_csv_is_one_sentence(tmp_path, fault):
    text, reason = FAULTS[fault]
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(DatasetError, match=reason) as caught:
        records.read(tmp_path / "x.csv", tmp_path, "current", 60)
    assert str(tmp_path / "x.csv") in str(caught.value) and "\n" not in str(caught.value)


def test_a_bad_comtrade_record_is_one_sentence(tmp_path):
    samples = current(3840, 60)
    for kind in ("ASCII", "BINARY"):
        write_comtrade(tmp_path, kind, samples, 3840, kind)
        data = tmp_path / f"{kind}.dat"
        data.write_bytes(data.read_bytes()[: len(data.read_bytes()) // 2])
        with pytest.raises(DatasetError, match=f"{kind}.dat, row .* truncated|not a readable"):
            records.read(tmp_path / f"{kind}.cfg", tmp_path, "current", 60)
    write_comtrade(tmp_path, "unit", samples, 3840, unit="W")
    with pytest.raises(DatasetError, match=r"no channel that is a current; found VA \(V\), IA \(W\)"):
        records.read(tmp_path / "unit.cfg", tmp_path, "current", 60)
    (tmp_path / "alone.cfg").write_text((tmp_path / "unit.cfg").read_text())
    with pytest.raises(DatasetError, match="alone.dat is missing"):
        records.read(tmp_path / "alone.cfg", tmp_path, "current", 60)
    (tmp_path / "unit.cfg").write_text("nothing")
    with pytest.raises(DatasetError, match="not a readable COMTRADE record"):
        records.read(tmp_path / "unit.cfg", tmp_path, "current", 60)
