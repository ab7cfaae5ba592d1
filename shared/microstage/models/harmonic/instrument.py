"""What an instrument of IEC 61000-4-7 may err by (edition 2.1, clause 5.3, table 1)."""

from __future__ import annotations

__all__ = ["CLASSES", "NOMINAL", "largest_error", "share_within"]

CLASSES = ("I", "II")
NOMINAL = {("A", 50): 32.0, ("A", 60): 32.0, ("V", 50): 230.0, ("V", 60): 120.0}  # rms, by unit and mains frequency
_RELATIVE = 0.05  # of a component that is not small
_SMALL = {("V", "I"): 0.01, ("V", "II"): 0.03, ("A", "I"): 0.03, ("A", "II"): 0.1}  # of the nominal value: what is


def largest_error(amplitude: float, nominal: float, unit: str, of_class: str) -> float:
    """Return the largest error allowed, a peak value, of a harmonic of the peak value `amplitude`.

    The instrument's `nominal` value is rms.

    5 % of it; below 1 % (class I) or 3 % (class II) of the nominal voltage, 3 % or 10 % of the nominal current, as much
    as at that limit: 0.05 %, 0.15 %, 0.15 % or 0.5 % of the nominal value.
    """
    return _RELATIVE * max(amplitude, _SMALL[unit, of_class] * nominal * 2**0.5)


def share_within(errors: list[float], largest: float) -> float:
    """Return the share of errors that are at most `largest`.

    It comes from their evenly spaced quantiles, straight between two.
    """
    if errors[-1] <= largest:
        return 1.0
    above = next(k for k, error in enumerate(errors) if error > largest)
    if above == 0:
        return 0.0
    low, high = errors[above - 1 : above + 1]
    return (above - 1 + (largest - low) / (high - low)) / (len(errors) - 1)
