"""Make names of a graph fit to stand in C, and break text between words alone."""

from __future__ import annotations

import re
import textwrap

from microstage.interface.c_names import Names, unique
from microstage.untrusted.printable import printable

__all__ = ["CPLUSPLUS", "Names", "filled", "in_comment", "labels", "quoted", "unique"]

CPLUSPLUS = (["#ifdef __cplusplus", 'extern "C" {', "#endif"], ["#ifdef __cplusplus", "}", "#endif"])
"What stands before and behind declarations that C++ may read."
_WIDTH = 116


def quoted(text: str) -> str:
    """Return `text` as it may stand in a comment: a name of the graph cannot end it."""
    return re.sub(r"[^\w./:-]", "_", text, flags=re.ASCII)


def in_comment(sentence: str) -> str:
    """Return `sentence` as it may stand in a comment: whatever it quotes ends it nowhere and is no trigraph."""
    return re.sub(r"[*?\\]", "_", printable(sentence))


def labels(texts: list[str]) -> dict[str, str]:
    """Return what a program prints for each of `texts`: one word of printable ASCII, none twice."""
    found: dict[str, str] = {}
    for text in texts:
        word, count = quoted(text) or "_", 1
        while word in found.values():
            count += 1
            word = f"{quoted(text)}_{count}"
        found[text] = word
    return found


def filled(text: str, first: str = "    ", then: str = "        ") -> list[str]:
    """Break `text` into lines of at most 116 columns, but for words that are longer: no name is broken."""
    return textwrap.wrap(
        text, _WIDTH, initial_indent=first, subsequent_indent=then, break_long_words=False, break_on_hyphens=False
    )
