"""Units that recordings come in, as factors to A or V."""

from __future__ import annotations

__all__ = ["factor", "quantity"]

_PREFIXES = {"": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6}
_NAMES = {"A": "current", "V": "voltage"}
_SPELT_OUT = {"ampere": "A", "amperes": "A", "amp": "A", "amps": "A", "volt": "V", "volts": "V"}


def quantity(unit: str) -> str | None:
    """ "current", "voltage", or None for another unit: A, mA, kA, ampere, V, mV, kV, MV, volt."""
    parsed = _parse(unit)
    return _NAMES[parsed[1]] if parsed else None


def factor(unit: str) -> float:
    """What one `unit` is in A or V; `KeyError` for a unit that `quantity` does not know."""
    parsed = _parse(unit)
    if parsed is None:
        raise KeyError(unit)
    return _PREFIXES[parsed[0]]


def _parse(unit: str) -> tuple[str, str] | None:
    unit = _SPELT_OUT.get(unit.strip().lower(), unit.strip())
    prefix, name = unit[:-1], unit[-1:].upper()
    return (prefix, name) if name in _NAMES and prefix in _PREFIXES else None
