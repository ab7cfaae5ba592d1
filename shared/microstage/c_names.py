"""Names of a graph as identifiers of C: those that are written, and those that a reader of written C looks for."""

from __future__ import annotations

import re
from hashlib import sha256

__all__ = ["identifier"]

_RESERVED = set(
    "ctx memory status arena part state steps gain i auto break case char const continue default do double else enum extern float for goto if inline "
    "int long register restrict return short signed sizeof static struct switch typedef union void volatile while "
    "asm bool catch class delete explicit export false friend mutable namespace new operator private protected public template this throw true try "
    "typeid typename using virtual wchar_t".split()
)
_LONGEST = 40


def identifier(text: str) -> str:
    """`text` as a C identifier; a long one, as exporters write them, is cut and told apart by a digest of the whole."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "value"
    name = f"v_{name}" if name in _RESERVED or name[0].isdigit() else name
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 9]}_{sha256(text.encode()).hexdigest()[:8]}"
