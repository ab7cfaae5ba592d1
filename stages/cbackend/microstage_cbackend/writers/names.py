"""Names of a graph as they may stand in C."""

from __future__ import annotations

import re

__all__ = ["CPLUSPLUS", "Names", "identifier", "quoted"]

_RESERVED = set(
    "ctx memory status arena part state steps gain i auto break case char const continue default do double else enum extern float for goto if inline "
    "int long register restrict return short signed sizeof static struct switch typedef union void volatile while "
    "asm bool catch class delete explicit export false friend mutable namespace new operator private protected public template this throw true try "
    "typeid typename using virtual wchar_t".split()
)
CPLUSPLUS = (["#ifdef __cplusplus", 'extern "C" {', "#endif"], ["#ifdef __cplusplus", "}", "#endif"])
"What stands before and behind declarations that C++ may read."


def identifier(text: str) -> str:
    """`text` as a C identifier."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "value"
    return f"v_{name}" if name in _RESERVED or name[0].isdigit() else name


def quoted(text: str) -> str:
    """`text` as it may stand in a comment: a name of the graph cannot end it."""
    return re.sub(r"[^\w./:-]", "_", text, flags=re.ASCII)


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
