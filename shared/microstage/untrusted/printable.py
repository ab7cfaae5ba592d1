"""Text out of a user's files, made fit for a terminal, a page and a picture: what acts on the reader is spelt out."""

from __future__ import annotations

import re
import reprlib

__all__ = ["in_markdown", "in_picture", "printable", "shown"]

# Controls (C0, DEL, C1), marks and overrides of direction, invisible ones, line separators, halves of pairs, tags.
_UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _LONGEST_SHOWN = 2, 120, 160


def printable(text: object, keep: str = "") -> str:
    """Spell out every character of `text` that no reader sees or that acts on the page, but for those in `keep`."""
    return _UNFIT.sub(lambda found: found[0] if found[0] in keep else _spelt(found[0]), str(text))


def in_markdown(text: object) -> str:
    """Return `text` as it may stand in a page of Markdown, in a table and between backticks too: no markup, no HTML."""
    return re.sub(r"[<`|]|\](?=[(\[:])", lambda found: f"&#{ord(found[0])};", printable(text))


def in_picture(text: object) -> str:
    """Return `text` as matplotlib draws it letter by letter, dollars too."""
    return printable(text).replace("$", r"\$")


def shown(value: object) -> str:
    """Return `value` as a sentence may quote it.

    Control characters escaped, and not all of it where it is long or deep.
    """
    text = _SHORT.repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _spelt(character: str) -> str:
    return character.encode("unicode_escape").decode()
