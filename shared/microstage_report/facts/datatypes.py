"""What integers a type of FINN or ONNX holds."""

from __future__ import annotations

import re

__all__ = ["range_of"]

_NAMED = {"BIPOLAR": (-1, 1), "BINARY": (0, 1), "TERNARY": (-1, 1)}


def range_of(datatype: str) -> tuple[int, int] | None:
    """Return the lowest and the highest integer of INT4, UINT8, BIPOLAR ...; None of any other type."""
    if datatype in _NAMED:
        return _NAMED[datatype]
    found = re.fullmatch(r"(U?)INT(\d+)", datatype)
    if found is None:
        return None
    bits = int(found[2])
    return (0, 2**bits - 1) if found[1] else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
