"""Recordings that nobody measured.

Long lines take time in proportion to their length, what is absurd is one sentence.
"""

import signal

import numpy as np
import pytest

from microstage.datasets.recordings.records import read_waveform
from microstage.errors import DatasetError

LENGTH = 100_000  # a cell of a table may have 131,072
REPEATED = (
    " ", ",", ";", "1", "1 ", "1,", "(", ")", '"', "'", "\t", "-", ".", "_", "/", " in ",
    "a", "mA ", "volt ", "1e", "0:", "--- ", "\u00a0", "\0",
)  # fmt: skip
ROWS = "".join(f"{k / 3840:.7f},{k % 7}\n" for k in range(64))
HEADING = "Time (s),Current (A)\n"
TABLES = (
    "{}",
    "Time (s){},Current (A)",
    "Time (s),A{}A",
    "Time (s),{}x",
    "{},{}",
    HEADING + "0,{}",
    HEADING + "0.1{}2,1",
)
CONFIGURATION = [
    "station,device,1999", "2,1A,1D", "1,IA,A,line,A,0.001,0,0,-32767,32767,1,1,P", "1,trip,,,0", "60", "1", "3840,64",
    "01/01/2020,00:00:00.000000", "01/01/2020,00:00:00.000000", "ASCII", "1",
]  # fmt: skip
SAMPLES = "".join(f"{k + 1},{k * 260},{k},0\r\n" for k in range(64))
COMBINED = (
    "--- file type: {}",
    "--- file type: CFG{} ---\n",
    "--- file type: CFG ---{}\n--- file type: DAT ASCII{}---\n",
    "---{}file type: CFG ---\n",
)


@pytest.fixture
def hurried():
    """A reader that takes longer than any reader of this length may is no slow one, but one that never ends."""

    def ring(*_):
        raise AssertionError("it does not end")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def read(path):
    """Nothing, whatever the outcome: a waveform, or one sentence that can be shown."""
    try:
        read_waveform(path, "current", gaps=True)
    except DatasetError as error:
        assert len(str(error)) < 2000 + len(str(path))


@pytest.mark.parametrize("repeated", REPEATED)
def test_long_lines_are_read_in_time_that_grows_as_their_length_does(tmp_path, hurried, repeated):
    long = repeated * (LENGTH // len(repeated))
    for form in TABLES:
        (tmp_path / "x.csv").write_text(form.replace("{}", long) + "\n" + ROWS)
        read(tmp_path / "x.csv")
    (tmp_path / "y.dat").write_text(SAMPLES)
    for line, text in enumerate(CONFIGURATION):
        lines = [*CONFIGURATION[:line], f"{text}{long}", *CONFIGURATION[line + 1 :]]
        (tmp_path / "y.cfg").write_text("\r\n".join(lines))
        read(tmp_path / "y.cfg")
    (tmp_path / "y.cfg").write_text("\r\n".join(CONFIGURATION))
    (tmp_path / "y.dat").write_text(f"1,0,{long},0\r\n{SAMPLES}")
    read(tmp_path / "y.cfg")
    for form in COMBINED:
        (tmp_path / "z.cff").write_text(form.replace("{}", long) + "\n")
        read(tmp_path / "z.cff")


ABSURD = {
    "samples": ("3840,64", "3840,1000000000000", "y.dat, row 65: the file ends after 64 of 1000000000000 samples"),
    "sampling rates": (
        "60\r\n1\r\n",
        "60\r\n1000000000\r\n",
        "it declares 1000000000 sampling rates, and at most 4096 are read",
    ),
    "fewer rates than said": ("60\r\n1\r\n", "60\r\n9\r\n", "it declares 9 sampling rates, and ends"),
    "channels": ("2,1A,1D", "1000000,1000000A,0D", "it declares 1000000 channels, and at most 4096 are read"),
    "status channels": ("2,1A,1D", "900,1A,899D", "it declares 900 channels, and ends"),
    "a multiplier": ("A,0.001,", "A,1e300,", r"IA has the multiplier 1e\+300"),
    "amperes": ("A,0.001,", "A,1e30,", r"sample 2, at 0.000260417 s, is 1e\+30 A; expected at most 1.441e\+17"),
}


@pytest.mark.parametrize("absurd", ABSURD)
def test_what_a_configuration_declares_is_held_against_what_is_there(tmp_path, absurd):
    old, new, said = ABSURD[absurd]
    (tmp_path / "y.dat").write_text(SAMPLES)
    (tmp_path / "y.cfg").write_text("\r\n".join(CONFIGURATION).replace(old, new, 1))
    with pytest.raises(DatasetError, match=said):
        read_waveform(tmp_path / "y.cfg", "current", gaps=True)


def test_a_table_of_too_many_columns_lines_or_bytes_is_one_sentence(tmp_path, monkeypatch):
    path = tmp_path / "x.csv"
    path.write_text("Time (s),Current (A)" + ",Current (A)" * 5000 + "\n" + ("0,1" + ",1" * 5000 + "\n") * 9)
    with pytest.raises(DatasetError, match="line 1 has 5002 columns, and at most 4096 are read"):
        read_waveform(path, "current")
    path.write_text("a,a\n" * 5000 + HEADING + ROWS)
    with pytest.raises(DatasetError, match="no header with a time column in 4096 rows"):
        read_waveform(path, "current")
    path.write_text(HEADING + ROWS)
    for name, value, said in (("_MOST_LINES", 60, "has 65 lines, and at most 60"), ("LARGEST", 512, "has more than")):
        with monkeypatch.context() as patch, pytest.raises(DatasetError, match=said):
            patch.setattr(f"microstage.datasets.recordings.reading.{name}", value)
            read_waveform(path, "current")


def test_a_sample_beyond_every_plant_names_its_time_and_one_below_is_read(tmp_path):
    for cell, said in (("1e400", r"is inf A"), ("-3e200", r"sample 4, at 0.00078125 s, is -3e\+200 A")):
        (tmp_path / "x.csv").write_text(HEADING + ROWS.replace(",3\n", f",{cell}\n", 1))
        with pytest.raises(DatasetError, match=said):
            read_waveform(tmp_path / "x.csv", "current", gaps=True)
    for unit, factor in (("kV", 1e3), ("MV", 1e6), ("\u00b5V", 1e-6), ("mV", 1e-3)):
        (tmp_path / "x.csv").write_text(f"Time (s),U ({unit})\n" + ROWS)
        assert read_waveform(tmp_path / "x.csv", "voltage").samples == pytest.approx(
            factor * (np.arange(64) % 7), rel=1e-15
        )
