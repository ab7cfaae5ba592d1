"""Names of a graph as they may stand in C."""

from __future__ import annotations

import re

from microstage.c_names import identifier

__all__ = ["CPLUSPLUS", "Names", "identifier", "in_comment", "quoted"]

CPLUSPLUS = (["#ifdef __cplusplus", 'extern "C" {', "#endif"], ["#ifdef __cplusplus", "}", "#endif"])
"What stands before and behind declarations that C++ may read."


def quoted(text: str) -> str:
    """`text` as it may stand in a comment: a name of the graph cannot end it."""
    return re.sub(r"[^\w./:-]", "_", text, flags=re.ASCII)


def in_comment(sentence: str) -> str:
    """`sentence` as it may stand in a comment: whatever names it quotes, it cannot end it."""
    return re.sub(r"[^\w .,:;()<>='/-]", "_", sentence, flags=re.ASCII)


class Names:
    """C identifiers, each given once."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def fresh(self, text: str) -> str:
        name, count = identifier(text), 1
        while name in self._used:
            count += 1
            name = f"{identifier(text)}_{count}"
        self._used.add(name)
        return name
