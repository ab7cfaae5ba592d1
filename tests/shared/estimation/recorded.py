"""Recordings made here: channels of a known content in a .cff, and the estimation of one, as the runner starts it."""

import json
import struct
from contextlib import nullcontext
from unittest.mock import patch

import numpy as np

from microstage.estimation.__main__ import run
from microstage.stage import stage_main

RATE = 6400
ORDERS = (1, 3, 5, 7)


def wave(time, mains, amplitudes, turn=0.0):
    """Odd harmonics of peak `amplitudes`, whose first is `turn` radians behind."""
    return sum(a * np.cos(2 * np.pi * mains * h * time - h * turn + h) for a, h in zip(amplitudes, ORDERS))


def combined(path, channels, kind="BINARY32", counted=True, rate=RATE, order=("CFG", "INF", "HDR", "DAT")):
    """A .cff of {name: (unit, samples)}; `counted` says whether the heading of binary data gives its octets."""
    columns, lines = [], ["station,device,2013", f"{len(channels)},{len(channels)}A,0D"]
    for name, (unit, samples) in channels.items():
        gain = float(np.nanmax(np.abs(samples))) / 30000 or 1.0
        columns.append(samples / gain if kind == "FLOAT32" else np.rint(samples / gain).astype(int))
        lines.append(f"{len(columns)},{name},,,{unit},{gain!r},0,0,-32767,32767,1,1,P")
    count = len(columns[0])
    moment = "01/01/2020,00:00:00.000000"
    lines += ["50", "1", f"{rate},{count}", moment, moment, kind, "1", "0,0", "0,0"]
    rows = [(k + 1, round(k / rate * 1e6), *(column[k] for column in columns)) for k in range(count)]
    code = {"BINARY": "h", "BINARY32": "i", "FLOAT32": "f"}.get(kind)
    data = b"".join(struct.pack(f"<II{len(columns)}{code}", *row) for row in rows) if code else _text(rows)
    said = f"DAT {kind}" + (f": {len(data)}" if code and counted else "")
    parts = {"CFG": "\r\n".join([*lines, ""]).encode(), "INF": b"\r\n", "HDR": b"a header\r\n", "DAT": data}
    sections = [f"--- file type: {said if name == 'DAT' else name} ---\r\n".encode() + parts[name] for name in order]
    path.write_bytes(b"".join(sections))
    return path


def _text(rows):
    return "".join(",".join(map(str, row)) + "\r\n" for row in rows).encode()


class Estimated:
    """What an estimation of `path` left: exit `code`, `summary`, `rows` {channel: values [n, 13]}, the `files`."""

    def __init__(self, path, networks, channel="", frequency=0, pictures=False):
        at, folders = path.with_suffix(".estimated"), {"recording": path.parent, **networks}
        words = [f"--in={name}={place}" for name, place in folders.items()]
        asked = {"file": path.name, "channel": channel, "frequency": frequency}
        words += [f"--set={name}={json.dumps(value)}" for name, value in asked.items()]
        drawn = nullcontext() if pictures else patch("microstage.estimation.__main__.draw")  # which takes longest
        with drawn:
            self.code = stage_main("estimate-file", run, [*words, f"--out={at / 'out'}", f"--scratch={at / 'scratch'}"])
        self.files = {file.name for file in (at / "out").iterdir()} if self.code == 0 else set()
        if self.code == 0:
            self.summary = json.loads((at / "out" / "summary.json").read_text())
            lines = [line.split(",") for line in (at / "out" / "harmonics.csv").read_text().splitlines()]
            self.head = lines[0]
            self.rows = {
                name: np.array([row[2:] for row in lines[1:] if row[0] == name], float)
                for name in self.summary["channels"]
            }
