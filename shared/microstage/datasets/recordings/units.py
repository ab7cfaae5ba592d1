"""Units that recordings come in, as factors to A, V or s."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["ambiguous", "factor", "quantity"]

_PREFIXES = {"": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "K": 1e3, "M": 1e6}
_WORDS = {"nano": "n", "micro": "u", "milli": "m", "kilo": "k", "mega": "M"}
_NAMES = {"A": "current", "V": "voltage", "s": "time"}
_UNIT = re.compile(
    r"(?P<prefix>nano|micro|milli|kilo|mega|[numkM]?)"
    r"((?P<A>a|amps?|amperes?|ampère?s?)|(?P<V>v|volts?)|(?P<s>s|secs?|seconds?|sek|sekunden?|secondes?|segundos?|secondi))",
    re.IGNORECASE,
)
_LONGEST = 40  # characters of a unit: what is longer is a text
_KINDS_OF_VALUE = re.compile(r"[\s_.]*\(?(rms|peak|pk|inst|dc|ac)\)?$", re.IGNORECASE)


def quantity(unit: str) -> str | None:
    """Return "current", "voltage" or "time", or None for another unit.

    In any case of letters: A, mA, kA, amperes, V, mV, kV, MV, volts, s, ms, us, seconds.
    """
    parsed = _parse(unit)
    return _NAMES[parsed[1]] if parsed else None


def factor(unit: str) -> float:
    """Return what one `unit` is in A, V or s; `KeyError` for a unit that `quantity` does not know."""
    parsed = _parse(unit)
    if parsed is None:
        raise KeyError(unit)
    return _PREFIXES[parsed[0]]


def ambiguous(unit: str) -> bool:
    """Tell whether capitals leave open what is meant.

    MA is mA in a heading of capitals, as nobody measures mega-amperes.
    """
    return unit.strip() in ("MA", "MAMP", "MAMPS")


def _parse(unit: str) -> tuple[str, str] | None:
    """Return (prefix, A, V or s)."""
    return _parsed(unit) if len(unit) <= _LONGEST else None


@lru_cache(4096)
def _parsed(unit: str) -> tuple[str, str] | None:
    unit = _KINDS_OF_VALUE.sub("", unit.strip().replace("\u00b5", "u").replace("\u03bc", "u"))
    found = _UNIT.fullmatch(unit)
    if not found:
        return None
    name = next(name for name in _NAMES if found[name])
    prefix = _WORDS.get(found["prefix"].lower(), found["prefix"])
    return (prefix if prefix == "M" and name != "s" else prefix.lower()), name
