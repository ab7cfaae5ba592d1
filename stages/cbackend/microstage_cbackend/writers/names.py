"""Names of a graph as they may stand in C."""

from __future__ import annotations

import re
from hashlib import sha256

__all__ = ["CPLUSPLUS", "Names", "identifier", "quoted"]

_RESERVED = set(
    "ctx memory status arena part state steps gain i auto break case char const continue default do double else enum extern float for goto if inline "
    "int long register restrict return short signed sizeof static struct switch typedef union void volatile while "
    "asm bool catch class delete explicit export false friend mutable namespace new operator private protected public template this throw true try "
    "typeid typename using virtual wchar_t".split()
)
_LONGEST = 40
CPLUSPLUS = (["#ifdef __cplusplus", 'extern "C" {', "#endif"], ["#ifdef __cplusplus", "}", "#endif"])
"What stands before and behind declarations that C++ may read."


def identifier(text: str) -> str:
    """`text` as a C identifier; a long one, as exporters write them, is cut and told apart by a digest of the whole."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "value"
    name = f"v_{name}" if name in _RESERVED or name[0].isdigit() else name
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 9]}_{sha256(text.encode()).hexdigest()[:8]}"


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
