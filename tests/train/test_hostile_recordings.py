"""Recordings that nobody measured: what is long is read in time that grows as its length does, what is absurd is one sentence."""

import signal

import numpy as np
import pytest

from microstage.datasets.recordings import read_waveform
from microstage.errors import DatasetError

LENGTH = 200_000
REPEATED = (" ", ",", ";", "1", "1 ", "1,", "(", ")", '"', "'", "\t", "-", ".", "_", "/", " in ", "a", "mA ", "volt ", "1e", "0:", "--- ", "\u00a0", "\0")
ROWS = "".join(f"{k / 3840:.7f},{k % 7}\n" for k in range(64))
TABLES = ("{}", "Time (s){},Current (A)", "Time (s),A{}A", "Time (s),{}x", "{},{}", "Time (s),Current (A)\n0,{}", "Time (s),Current (A)\n0.1{}2,1")
CONFIGURATION = ["station,device,1999", "2,1A,1D", "1,IA,A,line,A,0.001,0,0,-32767,32767,1,1,P", "1,trip,,,0", "60", "1", "3840,64",
                 "01/01/2020,00:00:00.000000", "01/01/2020,00:00:00.000000", "ASCII", "1"]
SAMPLES = "".join(f"{k + 1},{k * 260},{k},0\r\n" for k in range(64))
COMBINED = ("--- file type: {}", "--- file type: CFG{} ---\n", "--- file type: CFG ---{}\n--- file type: DAT ASCII{}---\n", "---{}file type: CFG ---\n")


@pytest.fixture
def hurried():
    """A reader that takes longer than any reader of this length may is no slow one, but one that never ends."""
    def ring(*_):
        raise AssertionError("it does not end")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(60)
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
