"""COMTRADE as relays and converters write it, made into what the `comtrade` package reads.

The package is strict about fields that are of no account here: dates, commas at line ends, bytes behind the last row.
`tidy_cfg` and `tidy_rows` leave every number as it is, and status channels out: a package that keeps an integer for
each bit needs 32 times the file.
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Configuration", "parts_of_cff", "tidy_cfg", "tidy_rows", "whole_rows"]

_BYTES = {"BINARY": 2, "BINARY32": 4, "FLOAT32": 4}
_HEADER = re.compile(
    rb"(?i)(?<![^\r\n])-{3}[ \t]*file type:[ \t]*(cfg|inf|hdr|dat)\b([^\r\n]*?)-{3}[ \t]*(?:\r\n|\r|\n|$)"
)
_OCTETS = re.compile(rb":[ \t]*(\d{1,12})[ \t]*$")
_NUMBERS = (
    5,
    6,
    7,
    8,
    9,
    10,
    11,
)  # multiplier, offset, skew, limits, ratio: fields of an analog channel that are numbers
_OLDEST = "1991"
_MOST = 4096  # channels, or sampling rates


@dataclass(frozen=True)
class Configuration:
    """`text` for the package; `kind` of the data in capitals; sampling `rates` as (Hz, last sample), sections of one
    rate joined; `analog` and `status` channels; the standard's `revision`.
    """

    text: str
    kind: str
    rates: list[tuple[float, int]]
    analog: int
    status: int
    revision: str


def parts_of_cff(data: bytes) -> tuple[bytes, bytes]:
    """Return (configuration, data) of a combined file; `ValueError` where it has not both.

    A section reaches to the next heading, and the data at least as many octets as their own heading gives: binary
    samples may look like one.
    """
    data = data.removeprefix(codecs.BOM_UTF8)
    parts: dict[bytes, bytes] = {}
    place = 0
    while heading := _HEADER.search(data, place):
        said = _OCTETS.search(heading[2])
        place = min(heading.end() + (int(said[1]) if said else 0), len(data))
        following = _HEADER.search(data, place)
        parts.setdefault(heading[1].upper(), data[heading.end() : following.start() if following else len(data)])
    if not {b"CFG", b"DAT"} <= parts.keys():
        raise ValueError("no section `--- file type: CFG ---` and `--- file type: DAT ... ---`")
    return parts[b"CFG"], parts[b"DAT"]


def tidy_cfg(text: str) -> Configuration:
    """Return what a .cfg says; `ValueError` or `IndexError` where a line is missing.

    Where no channel is analog, the rest is not looked at.
    """
    lines = [line.replace("\x1a", "").strip().rstrip(", \t") for line in text.splitlines()]
    head = [field.strip() for field in lines[0].split(",")]
    revision = head.pop() if re.fullmatch(r"\d{4}", head[-1]) and len(head) > 2 else _OLDEST
    analog, status = _counts(lines[1])
    if not analog:
        return Configuration(text, "", [], analog, status, revision)
    channels = [_analog(line) for line in lines[2 : 2 + analog]]
    frequency, sections, *rest = _following(lines[2:], analog + status, 2, "channels")
    count = max(int(sections or 0), 1)
    start, trigger, kind, *last = _following(rest, count, 3, "sampling rates")
    rates = _joined([line.split(",") for line in rest[:count]])
    named = [" ".join(head[:-1]), head[-1]] if len(head) > 1 else [*head, ""]
    tidy = [",".join([*named, *([] if revision == _OLDEST else [revision])]), f"{analog},{analog}A,0D", *channels]
    tidy += [(re.match(r"\d*\.?\d*", frequency) or [""])[0], str(len(rates) if rates[0][0] else 0)]
    tidy += [*(f"{rate!r},{end}" for rate, end in rates), _moment(start), _moment(trigger), kind, *last]
    return Configuration("\n".join(tidy) + "\n", kind.upper(), rates, analog, status, revision)


def _following(lines: Sequence[str], count: int, least: int, what: str) -> Sequence[str]:
    """Return what follows `count` lines, `least` lines or more; `ValueError` where the file is shorter than it says."""
    if count > _MOST:
        raise ValueError(f"it declares {count} {what}, and at most {_MOST} are read")
    if len(lines) < count + least:
        raise ValueError(f"it declares {count} {what}, and ends before them or behind them")
    return lines[count:]


def _counts(line: str) -> tuple[int, int]:
    """Return (analog, status) channels, whichever order the letters come in."""
    fields = [re.fullmatch(r"(\d{1,9})\s*([AD])", field.strip(), re.IGNORECASE) for field in line.split(",")]
    found = {field[2].upper(): int(field[1]) for field in fields if field}
    return found.get("A", 0), found.get("D", 0)


def _analog(line: str) -> str:
    fields = [field.strip().strip('"').strip() for field in line.split(",")]
    if len(fields) > 13:
        raise ValueError(
            f"channel {fields[0]} has {len(fields)} fields, expected 13; is there a comma in a name, or in a number?"
        )
    return ",".join(field or ("0" if place in _NUMBERS and place != 5 else "") for place, field in enumerate(fields))


def _joined(rates: Sequence[Sequence[str]]) -> list[tuple[float, int]]:
    """Join sections one after another at one and the same rate."""
    found: list[tuple[float, int]] = []
    for rate, end in ((float(fields[0] or 0), int(float(fields[1]))) for fields in rates):
        if found and math.isclose(found[-1][0], rate, rel_tol=1e-9):
            found.pop()
        found.append((rate, end))
    return found


def _moment(line: str) -> str:
    """Return a date that no reader refuses, with as many digits of the second.

    More than six make time stamps nanoseconds.
    """
    digits = re.search(r"[.,](\d+)\s*$", line)
    return f"01/01/2000,00:00:00.{'0' * (9 if digits and len(digits[1]) > 6 else 6)}"


def tidy_rows(lines: Sequence[str], described: Configuration) -> Iterator[str]:
    """Yield the rows of an ASCII data file: numbered, and without status.

    A missing time becomes 0, a missing sample what the file's revision of the standard has for it.
    """
    missing = "" if described.revision == _OLDEST else "99999"
    for line in lines:
        separator = "," if "," in line else ";"
        fields = [field.strip() for field in line.replace("\x1a", "").split(separator)]
        if any(fields):
            number, time, samples = fields[0], fields[1:2], fields[2 : 2 + described.analog]
            lacking = ["?"] * (described.analog - len(samples))  # a row that was cut off is no number
            yield ",".join([number, (time or ["0"])[0] or "0", *(field or missing for field in samples), *lacking])


def whole_rows(data: bytes, described: Configuration) -> tuple[bytes, int]:
    """Return (`data` without status, and without what is behind its last whole row; how many rows).

    `KeyError` for a kind that is not known.
    """
    kept = 8 + _BYTES[described.kind] * described.analog
    width = kept + 2 * math.ceil(described.status / 16)
    rows = len(data) // width
    return np.frombuffer(data, np.uint8, rows * width).reshape(rows, width)[:, :kept].tobytes(), rows
