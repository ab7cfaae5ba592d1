"""The text of files that do not say how they are encoded."""

from __future__ import annotations

import codecs

__all__ = ["abridged", "decode"]

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_NATIONAL = ("gb18030", "big5", "shift_jis", "euc_kr", "cp1251", "cp1250", "cp1253", "cp437", "cp850")
_LONGEST_MESSAGE = 1000


def abridged(message: str) -> str:
    """Return `message` without its middle where what it quotes of a file makes it long."""
    if len(message) <= _LONGEST_MESSAGE:
        return message
    half = _LONGEST_MESSAGE // 2
    return f"{message[:half]} [... {len(message) - 2 * half} characters ...] {message[-half:]}"


def decode(data: bytes, sought: str | None = None) -> str:
    """Return `data` as UTF-16 or UTF-8 where it is that.

    Else in an encoding in which the name `sought` occurs, else as Windows-1252 or Latin-1.

    Those leave every ASCII character as it is, and so the numbers and separators of a table right, whatever its names
    look like.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    for place, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(data) > 1 and data[place:1000:2].count(0) > 0.9 * len(data[place:1000:2]):
            return data.decode(encoding, "replace")
    name = sought or ""
    for encoding in ("utf-8", *(() if name.isascii() else _NATIONAL), "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding not in _NATIONAL or name in text:
            return text
    return data.decode("latin-1")
