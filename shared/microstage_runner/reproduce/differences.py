"""Where two folders of files differ: the files, and the first byte, member, tensor or key in which one of them does."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from microstage.files.canonical import file_digest

__all__ = ["diffoscope", "digests", "explain", "place_of"]

_BLOCK = 1 << 20
_DIFFOSCOPE = "diffoscope"
_SHOWN_LINES = 40
_DIFFOSCOPE_SECONDS = 300
# onnx.proto: the fields of ModelProto and GraphProto that are worth a name, and which field of each part holds its own.
_MODEL = {
    1: "ir_version",
    2: "producer_name",
    3: "producer_version",
    5: "model_version",
    6: "doc_string",
    8: "opset_import",
    14: "metadata_props",
}
_GRAPH = {
    1: ("node", 3),
    2: ("graph name", None),
    5: ("initializer", 8),
    10: ("doc_string", None),
    11: ("input", 1),
    12: ("output", 1),
    13: ("value_info", 1),
}
_GRAPH_FIELD = 7
_NODE_OUTPUT = 2


def digests(folder: Path) -> dict[str, str]:
    """Return {path relative to `folder`: SHA-256} of every file."""
    return {
        path.relative_to(folder).as_posix(): file_digest(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }


def explain(a: Path, b: Path) -> str:
    """Return the first difference of two files, as part of a sentence: the byte, and where that byte stands in the
    format.
    """
    offset = _first_byte(a, b)
    sizes = f"{a.stat().st_size} and {b.stat().st_size} bytes long"
    where = place_of(a, b)
    return f"byte {offset} ({sizes})" + (f", {where}" if where else "")


def diffoscope(a: Path, b: Path) -> str:
    """Return the first lines of diffoscope's report; empty where the program is not installed or takes too long."""
    if not (program := shutil.which(_DIFFOSCOPE)):
        return ""
    try:
        done = subprocess.run(
            [program, "--no-progress", "--text=-", str(a), str(b)],
            capture_output=True,
            text=True,
            timeout=_DIFFOSCOPE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return ""
    lines = done.stdout.splitlines()
    return "\n".join(lines[:_SHOWN_LINES] + (["..."] if len(lines) > _SHOWN_LINES else []))


def place_of(a: Path, b: Path) -> str:
    """Return what the first difference belongs to (zip member, JSON key, ONNX tensor); empty for any other format."""
    reader = {".npz": _in_zip, ".pth": _in_zip, ".zip": _in_zip, ".json": _in_json, ".onnx": _in_onnx}.get(a.suffix)
    try:
        return reader(a, b) if reader else ""
    except (ValueError, IndexError, KeyError, OSError, zipfile.BadZipFile):  # not what its name says
        return ""


def _first_byte(a: Path, b: Path) -> int:
    done = 0
    with a.open("rb") as one, b.open("rb") as other:
        while True:
            left, right = one.read(_BLOCK), other.read(_BLOCK)
            if left != right or not left:
                return done + next(
                    (n for n, (x, y) in enumerate(zip(left, right)) if x != y), min(len(left), len(right))
                )
            done += len(left)


def _in_zip(a: Path, b: Path) -> str:
    with zipfile.ZipFile(a) as one, zipfile.ZipFile(b) as other:
        for left, right in zip_longest(one.infolist(), other.infolist()):
            if left is None or right is None or left.filename != right.filename:
                names = [f"{member.filename}" if member else "none" for member in (left, right)]
                return f"member {names[0]} in one and {names[1]} in the other"
            if left.CRC != right.CRC or left.file_size != right.file_size:
                return f"member {left.filename}"
            if left.date_time != right.date_time:
                return f"the date of member {left.filename}"
    return "the directory of the zip file"


def _in_json(a: Path, b: Path) -> str:
    return _key(json.loads(a.read_text()), json.loads(b.read_text()), "") or "white space or order alone"


def _key(a: Any, b: Any, path: str) -> str:
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return next((found for name in a if (found := _key(a[name], b[name], f"{path}/{name}"))), "")
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return next((found for n, pair in enumerate(zip(a, b)) if (found := _key(*pair, f"{path}/{n}"))), "")
    return "" if a == b and type(a) is type(b) else f"{path or '/'}: {_short(a)} and {_short(b)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _in_onnx(a: Path, b: Path) -> str:
    for left, right in zip_longest(_fields(a.read_bytes()), _fields(b.read_bytes())):
        if left != right:
            number = (left or right)[0]
            if number == _GRAPH_FIELD and left and right:
                return _in_graph(left[1], right[1])
            return _MODEL.get(number, f"field {number} of the model")
    return ""


def _in_graph(a: bytes, b: bytes) -> str:
    for left, right in zip_longest(_fields(a), _fields(b)):
        if left != right:
            number, content = left or right
            kind, name_field = _GRAPH.get(number, (f"field {number} of the graph", None))
            return f"{kind} {_named(content, name_field)}".strip()
    return ""


def _named(message: bytes, field: int | None) -> str:
    """Return the name of a node, tensor or value; of a node that has none, its first output."""
    if field is None:
        return ""
    texts: dict[int, bytes] = {}
    for number, value in _fields(message):
        if isinstance(value, bytes):
            texts.setdefault(number, value)
    return (texts.get(field) or texts.get(_NODE_OUTPUT, b"")).decode(errors="replace")


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield (number, bytes or integer) of each field of a protocol buffers message."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        if tag & 7 == 0:
            number, at = _varint(data, at)
            yield tag >> 3, number
        else:
            size, at = _varint(data, at) if tag & 7 == 2 else ({1: 8, 5: 4}[tag & 7], at)
            yield tag >> 3, data[at : at + size]
            at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at
