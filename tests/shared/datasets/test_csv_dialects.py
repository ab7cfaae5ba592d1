"""CSV as instruments and spreadsheets write it.

One wave in every dialect is one and the same waveform; what is ambiguous is said.
"""

import numpy as np
import pytest

from microstage.datasets.recordings.records import read_waveform
from microstage.errors import DatasetError
from microstage.signals import harmonic_amplitudes
from microstage.signals.synchronous import fundamental_frequency, synchronise

RATE, COUNT, AMPLITUDES = 3840, 1152, (10, 2, 1, 0.5)
TIME = np.arange(COUNT) / RATE
CURRENT = sum(a * np.sin(2 * np.pi * 60 * h * TIME + 0.3 * h) for a, h in zip(AMPLITUDES, (1, 3, 5, 7)))
UNITS = "Time (s),Voltage (V),Current (A)"


def table(head=UNITS, sep=",", point=".", eol="\n", cell="{:.9f}", times=(1, 10, 1), tail="", stamp=None):
    """The file's text: a heading, and rows of time, voltage and current, each as many `times` as large."""

    def row(values):
        texts = [cell.format(value * factor).replace(".", point) for value, factor in zip(values, times)]
        return sep.join([stamp(values[0]), *texts[1:]] if stamp else texts)

    return eol.join([head, *map(row, zip(TIME, CURRENT, CURRENT))]) + eol + tail


def quoted(text, sep=","):
    return "\n".join(sep.join(f'"{cell}"' for cell in line.split(sep)) for line in text.splitlines()) + "\n"


MILLI = (1e3, 1e4, 1e3)
TEXTS = {
    "plain": table(),
    "semicolons, decimal commas": table(UNITS.replace(",", ";"), ";", ","),
    "semicolons, decimal points": table(UNITS.replace(",", ";"), ";"),
    "three digits behind a decimal comma": table(
        "Time (ms);Voltage (uV);Current (uA)", ";", ",", cell="{:.3f}", times=(1e3, 1e7, 1e6)
    ),
    "tabs, decimal commas": table(UNITS.replace(",", "\t"), "\t", ","),
    "commas, quoted decimal commas": quoted(table().replace(",", "\0")).replace(".", ",").replace("\0", '","'),
    "quoted semicolons": quoted(table(UNITS.replace(",", ";"), ";", ","), ";"),
    "thousands": table(
        UNITS.replace(",", ";").replace("(V)", "(mV)"), ";", times=(1, 1e4, 1), cell="{:,.9f}"
    ).translate(str.maketrans(",.", ".,")),
    "a separator that is said": "sep=;\n" + table(UNITS.replace(",", ";"), ";", ","),
    "lines of DOS, spaces": table(" Time (s) , Voltage (V) , Current (A) ", eol="\r\n", cell=" {:.9f} "),
    "blank lines": table("\n# a comment\n\n" + UNITS + "\n\n", tail="\n,,\n  \n\n"),
    "a comma at line ends": "\n".join(line + "," for line in table().splitlines()),
    "exponents": table(cell="{:.9E}"),
    "a minus of typography": table().replace("-", "\u2212"),
    "milli": table("Time (ms),Voltage (mV),Current (mA)", times=MILLI),
    "micro sign": table("Time (\u00b5s),Voltage (V),Current (A)", times=(1e6, 10, 1)),
    "Greek mu": table("Time (\u03bcs),Voltage (V),Current (\u03bcA)", times=(1e6, 10, 1e6)),
    "kilo in capitals": table("TIME (S),VOLTAGE (KV),CURRENT (KA)", times=(1, 1e-2, 1e-3), cell="{:.12f}"),
    "milliseconds in capitals": table("TIME (MS),VOLTAGE (V),CURRENT (A)", times=(1e3, 10, 1)),
    "words": table("Time (seconds),Voltage (volts),Current (amps)"),
    "more words": table(
        "Time [milliseconds],Voltage [Kilovolts],Current [milliamperes]", times=(1e3, 1e-2, 1e3), cell="{:.12f}"
    ),
    "slashes": table("Time/s,U / V,I / A"),
    "underscores": table("time_ms,voltage_V,current_A", times=(1e3, 10, 1)),
    "another language": table("Zeit in s;Spannung in V;Strom in A", ";", ","),
    "names alone": table("time,voltage,current"),
    "names alone, in ms": table("Time,U1,I1", times=(1e3, 10, 1)),
    "units below": table("Time,Channel A,Channel B\n(ms),(V),(mA)\n", times=(1e3, 10, 1e3)),
    "units below, as words": table("x-axis,1,2\nsecond,Volt,Ampere"),
    "lines before": "Model,X1\nTime,10:15:00\nRecord Length,1152\n,\nPoints,3,4\n" + table(),
    "times of the day": table("Time,Voltage (V),Current (A)", stamp=lambda t: f"2026-01-02T10:15:{t:09.6f}"),
    "coarse times": table(stamp=lambda t: f"{t:.3f}"),
    "times of four digits": table(stamp=lambda t: f"{t + 0.1:.3e}"),
    "an index before": "\n".join(
        f"{k},{line}" if k else f"Sample,{line}" for k, line in enumerate(table().splitlines())
    ),
}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252")


def given(tmp_path, text, encoding="utf-8", name="x.csv"):
    (tmp_path / name).write_bytes(text.encode(encoding))
    return tmp_path / name


@pytest.mark.parametrize("dialect", TEXTS)
def test_one_wave_is_one_waveform_in_every_dialect(tmp_path, dialect):
    wave = read_waveform(given(tmp_path, TEXTS[dialect]), "current", gaps=True)
    assert wave.samples == pytest.approx(CURRENT, abs=1e-8) and wave.unit == "A"
    samples = synchronise(wave.samples, wave.rate, fundamental_frequency(wave.samples, wave.rate, 60))[: 12 * 64]
    assert harmonic_amplitudes(samples, 12) == pytest.approx(AMPLITUDES, rel=2e-3)
    assert read_waveform(tmp_path / "x.csv", "voltage").samples == pytest.approx(10 * CURRENT, abs=1e-6)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("dialect", ["micro sign", "semicolons, decimal commas"])
def test_it_is_so_in_every_encoding(tmp_path, dialect, encoding):
    wave = read_waveform(given(tmp_path, TEXTS[dialect], encoding, "x.TSV"), "current")
    assert wave.samples == pytest.approx(CURRENT, abs=1e-8)


def test_what_an_instrument_could_not_measure_is_missing(tmp_path):
    lines = TEXTS["plain"].splitlines()
    for row, said in {100: "inf", 200: "-\u221e", 300: "", 400: "NaN", 500: "--"}.items():
        lines[row] = lines[row].rpartition(",")[0] + "," + said
    found = read_waveform(given(tmp_path, "\n".join(lines)), "current", gaps=True).samples
    assert np.flatnonzero(np.isnan(found)).tolist() == [99, 199, 299, 399, 499]


def test_a_column_without_unit_is_read_by_its_name(tmp_path):
    path = given(tmp_path, "Model,X1\n\n" + table("TIME,CH1,Str\u00f6me"), "cp1252")
    wave = read_waveform(path, None, "str\u00f6me")
    assert wave.samples == pytest.approx(CURRENT, abs=1e-8) and wave.unit == ""


@pytest.mark.parametrize("text,said", [
    (table("TIME,CH1,CH2"),
     r"row 1: no column that is a current .*; found TIME, CH1, CH2; .*CHANNEL='CH1' reads that column as it is"),
    (table("TIME (S),U (V),I (MA)"), "MA may be mA or MA; write mA"),
    (table("a,b,c"), "row 1: no header with a time column above the numbers, found a, b, c; expected one .*'Time"),
    (table(point=","), r"row 2: expected 3 values, found 6; commas separate values here and begin their fractions"),
    ("", "no header with a time column in 0 rows"),
])  # fmt: skip
def test_what_is_ambiguous_is_one_sentence_with_its_remedy(tmp_path, text, said):
    with pytest.raises(DatasetError, match=said) as caught:
        read_waveform(given(tmp_path, text), "current", gaps=True)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(str(tmp_path))
