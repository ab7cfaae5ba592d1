"""COMTRADE as relays and converters write it.

One wave in every form is one and the same waveform; the rest is one sentence.
"""

import struct

import numpy as np
import pytest

from microstage.datasets.recordings.records import read_waveform
from microstage.errors import DatasetError

RATE, COUNT, GAIN = 3840, 960, 0.01
TIME = np.arange(COUNT) / RATE
COUNTS = np.rint(1000 * np.cos(2 * np.pi * 60 * TIME)).astype(int)
PACKED = {"BINARY": "h", "BINARY32": "i", "FLOAT32": "f"}


def cfg(
    kind="ASCII",
    year="1999",
    unit="A",
    rates=((RATE, COUNT),),
    date="31/12/2026,23:59:59.123456",
    name="IA",
    station="ST",
    status=1,
):
    """Lines of a configuration: a voltage, the current, and status channels."""
    ratio = [] if year == "1991" else ["400", "5", "P"]
    channels = [
        ["1", "VA", "A", "", "kV", GAIN, 0, 0, -32767, 32767, *ratio],
        ["2", name, "A", "", unit, GAIN, 0, 0, -32767, 32767, *ratio],
    ]
    count = 0 if rates[0][0] == 0 else len(rates)
    lines = [f"{station},REC" + ("" if year == "1991" else f",{year}"), f"{2 + status},2A,{status}D"]
    lines += [",".join(map(str, fields)) for fields in channels] + [f"{n + 1},D{n},,,0" for n in range(status)]
    lines += ["60", str(count), *(f"{rate},{end}" for rate, end in rates), date, date, kind]
    return lines + ([] if year == "1991" else ["1"]) + (["0,0", "0,0"] if year == "2013" else [])


def dat(kind="ASCII", status=1, stamps=True, tick=1e-6, eol="\r\n"):
    ticks = np.rint(TIME / tick).astype(int)
    if kind == "ASCII":
        said = ",0" * status
        return (
            eol.join(
                f"{k + 1},{t if stamps else ''},{v},{v}{said}" for k, (t, v) in enumerate(zip(ticks, COUNTS))
            ).encode()
            + eol.encode()
        )
    form = f"<II2{PACKED[kind]}{-(-status // 16)}H"
    return b"".join(
        struct.pack(form, k + 1, t, v, v, *[0] * -(-status // 16)) for k, (t, v) in enumerate(zip(ticks, COUNTS))
    )


def combined(kind, order=("CFG", "INF", "HDR", "DAT"), octets=True, heading="--- file type: {} ---\r\n", **how):
    """One file with its sections in `order`; `octets` says whether the heading of binary data gives their number."""
    data = dat(kind)
    said = f"DAT {kind}" + (f": {len(data)}" if kind != "ASCII" and octets else "")
    parts = {
        "CFG": "\r\n".join(cfg(kind, "2013", **how)).encode() + b"\r\n",
        "INF": b"\r\n",
        "HDR": b"a header\r\n",
        "DAT": data,
    }
    return b"".join(heading.format(said if name == "DAT" else name).encode() + parts[name] for name in order)


def written(folder, lines, data, name="x", endings=(".cfg", ".dat"), encoding="utf-8", eol="\r\n"):
    path = folder / f"{name}{endings[0]}"
    path.write_bytes((eol.join(lines) + eol).encode(encoding) if isinstance(lines, list) else lines)
    if data is not None:
        (folder / f"{name}{endings[1]}").write_bytes(data)
    return path


FORMS = {
    "plain": (cfg(), dat(), {}),
    "of 1991": (cfg(year="1991"), dat(), {}),
    "binary of 17 status channels": (cfg("BINARY", status=17), dat("BINARY", 17), {}),
    "binary in small letters": (cfg("binary"), dat("BINARY"), {}),
    "32 bits": (cfg("BINARY32", "2013"), dat("BINARY32"), {}),
    "floats": (cfg("FLOAT32", "2013"), dat("FLOAT32"), {}),
    "Latin-1": (cfg(station="C\u00f4t\u00e9 Z\u00fcrich"), dat(), {"encoding": "latin-1"}),
    "Chinese": (cfg(station="\u53d8\u7535\u7ad9", name="\u7535\u6d41"), dat(), {"encoding": "gbk"}),
    "UTF-16": (cfg(station="\u53d8"), dat(), {"encoding": "utf-16"}),
    "a mark of UTF-8": (cfg(), dat(), {"encoding": "utf-8-sig"}),
    "lines of old": (cfg(), dat(eol="\r"), {"eol": "\r"}),
    "spare bytes": (cfg("BINARY"), dat("BINARY") + b"\0\0\x1a", {}),
    "an end of file of DOS": ([*cfg(), "\x1a"], dat() + b"\x1a", {}),
    "months first": (cfg(date="12/31/2026,03:04:05.000"), dat(), {}),
    "no dates": (cfg(date=","), dat(), {}),
    "a second of eight digits": (cfg(date="01/02/2020,11:28:18581309.000"), dat(), {}),
    "no rate": (cfg(rates=[(0, COUNT)]), dat(), {}),
    "no rate, nanoseconds": (
        cfg(rates=[(0, COUNT)], year="2013", date="31/12/2026,23:59:59.123456789"),
        dat(tick=1e-9),
        {},
    ),
    "sections of one rate": (cfg(rates=[(RATE, 100), (float(RATE), COUNT)]), dat(), {}),
    "no time stamps": (cfg(), dat(stamps=False), {}),
    "commas at line ends": ([line + "," for line in cfg()], dat().replace(b"\r\n", b",\r\n"), {}),
    "semicolons in the data": (cfg(), dat().replace(b",", b";"), {}),
    "a comma in the station": (cfg(station="North, bay 2"), dat(), {}),
    "brackets in the name": (cfg(), dat(), {"name": "r[22] (1)"}),
    "endings in capitals": (cfg(), dat(), {"endings": (".CFG", ".DAT")}),
    "endings of two minds": (cfg(), dat(), {"endings": (".CFG", ".dat")}),
    "one file": (combined("ASCII"), None, {"endings": (".cff",)}),
    "one file, binary": (combined("BINARY"), None, {"endings": (".CFF",)}),
    "one file, floats": (combined("FLOAT32"), None, {"endings": (".cff",)}),
    "one file, 32 bits": (combined("BINARY32"), None, {"endings": (".cff",)}),
    "one file, octets not given": (combined("BINARY", octets=False), None, {"endings": (".cff",)}),
    "one file, the header behind the data": (
        combined("ASCII", ("CFG", "DAT", "HDR", "INF")),
        None,
        {"endings": (".cff",)},
    ),
    "one file, binary data before the rest": (
        combined("BINARY32", ("DAT", "HDR", "CFG")),
        None,
        {"endings": (".cff",)},
    ),
    "one file, headings in another hand": (
        combined("BINARY", heading="---FILE TYPE:{}---\n"),
        None,
        {"endings": (".cff",)},
    ),
    "one file, a mark of UTF-8": (b"\xef\xbb\xbf" + combined("ASCII"), None, {"endings": (".cff",)}),
}


@pytest.mark.parametrize("form", FORMS)
def test_one_wave_is_one_waveform_in_every_form(tmp_path, form):
    lines, data, how = FORMS[form]
    path = written(tmp_path, lines, data, **how)
    wave = read_waveform(path, "current")
    assert wave.samples == pytest.approx(COUNTS * GAIN, abs=1e-6) and wave.rate == pytest.approx(RATE, rel=1e-6)
    assert wave.unit == "A" and wave.remarks == ()
    assert read_waveform(path, "voltage").samples == pytest.approx(COUNTS * GAIN * 1000, abs=1e-3)


def test_samples_that_look_like_a_heading_are_samples(tmp_path):
    like = b"\n--- file type: HDR ---\n".ljust(32, b"\0")
    data = combined("BINARY")
    path = written(tmp_path, data.replace(dat("BINARY")[1400:1432], like, 1), None, endings=(".cff", ""))
    assert len(read_waveform(path, "current").samples) == COUNT


@pytest.mark.parametrize(
    "unit,factor", [("KA", 1e3), ("ka", 1e3), ("mA", 1e-3), ("AMPS", 1), ("A rms", 1), ("a", 1), ("\u00b5A", 1e-6)]
)
def test_units_in_any_case_and_with_what_is_said_of_them(tmp_path, unit, factor):
    path = written(tmp_path, cfg(unit=unit), dat(), encoding="latin-1")
    assert read_waveform(path, None, "ia").samples == pytest.approx(COUNTS * GAIN * factor, rel=1e-9, abs=1e-9)


def test_a_channel_is_called_by_its_name_in_the_encoding_of_the_file(tmp_path):
    path = written(tmp_path, cfg(name="\u7535\u6d41"), dat(), encoding="gbk")
    assert read_waveform(path, None, "\u7535\u6d41").unit == "A"


@pytest.mark.parametrize(
    "kind,year,said",
    [("ASCII", "1999", b""), ("ASCII", "1991", b""), ("ASCII", "1999", b"99999"), ("ASCII", "1991", b" ")],
)
def test_an_empty_field_is_a_missing_sample(tmp_path, kind, year, said):
    rows = dat(kind).splitlines()
    rows[700] = b"701,182292," + said + b"," + said + b","
    found = read_waveform(written(tmp_path, cfg(kind, year), b"\n".join(rows)), "current", gaps=True).samples
    assert np.flatnonzero(np.isnan(found)).tolist() == [700]


def test_a_missing_float_is_missing_and_a_wave_at_the_converters_limit_is_remarked(tmp_path):
    data = bytearray(dat("FLOAT32"))
    data[18 * 5 + 12 : 18 * 5 + 16] = struct.pack("<f", -3.4028234663852886e38)
    found = read_waveform(written(tmp_path, cfg("FLOAT32", "2013"), bytes(data)), "current", gaps=True).samples
    assert np.flatnonzero(np.isnan(found)).tolist() == [5]
    limited = [line.replace("-32767,32767", "-900,900") for line in cfg()]
    rows = [f"{k + 1},,{v},{v},0" for k, v in enumerate(np.clip(COUNTS, -900, 900))]
    (remark,) = read_waveform(written(tmp_path, limited, "\n".join(rows).encode(), "y"), "current").remarks
    assert remark.startswith("IA: ") and "limits of the converter" in remark


REFUSED = {
    "two rates": (
        cfg(rates=[(RATE, 400), (1920, COUNT)]),
        r"2 sampling rates \(3840 Hz up to sample 400, 1920 Hz up to sample 960\); expected one",
    ),
    "status alone": (
        ["ST,REC,1999", "1,0A,1D", "1,D0,,,0", "60", "1", f"{RATE},{COUNT}"],
        "it has no analog channel, 1 of status",
    ),
    "per unit": (cfg(unit="pu"), r"found VA \(kV\), IA \(pu\); of a channel per unit, or of none, write the unit"),
    "no unit": (cfg(unit=""), r"found VA \(kV\), IA \(\); of a channel per unit, or of none, write the unit"),
    "a unit that may be two": (cfg(unit="MA"), "IA is in MA, which may be mA or MA"),
    "a decimal comma": (
        [line.replace("0.01", "0,01") for line in cfg()],
        "channel 1 has 14 fields, expected 13; is there a comma",
    ),
    "too few": (cfg(rates=[(RATE, 2000)]), "row 961: the file ends after 960 of 2000 samples"),
    "neither": (["nothing"], "not a readable COMTRADE record"),
}


@pytest.mark.parametrize("form", REFUSED)
def test_the_rest_is_one_sentence(tmp_path, form):
    lines, said = REFUSED[form]
    with pytest.raises(DatasetError, match=said) as caught:
        read_waveform(written(tmp_path, lines, dat()), "current", gaps=True)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(str(tmp_path))
