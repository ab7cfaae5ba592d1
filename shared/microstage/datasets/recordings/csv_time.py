"""The time column of a table of samples: its stamps as printed, and what they say of rate and gaps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from microstage.datasets.recordings.csv_dialect import Dialect
from microstage.datasets.recordings.units import factor
from microstage.errors import DatasetError

__all__ = ["rate_of", "seconds_of", "spread"]

_LARGEST_GROWTH = 4  # a record that is mostly gap is refused as unevenly spaced
_SLOWEST = 600  # Hz: what is sampled less often has no seventh harmonic


def seconds_of(
    path: Path, rows: Sequence[int], stamps: Sequence[str], dialect: Dialect, unit: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return ([n] times in s, [n] what the last printed digit of each is worth, in s).

    `rows` are the numbers of the lines.
    """
    seconds, resolution = np.empty(len(stamps)), np.empty(len(stamps))
    for index, (row, stamp) in enumerate(zip(rows, stamps)):
        try:
            seconds[index] = dialect.moment(stamp)
        except ValueError:
            raise DatasetError(f"{path}, row {row}: {stamp!r} is not a number.") from None
        if not np.isfinite(seconds[index]):
            raise DatasetError(f"{path}, row {row}: the time is missing, or not finite.")
        resolution[index] = _worth_of_last_digit(stamp)
    scale = factor(unit) if unit else _scale_of(seconds)
    return seconds * scale, resolution * scale


def _worth_of_last_digit(stamp: str) -> float:
    mantissa, _, exponent = stamp.lower().partition("e")
    point = max(mantissa.rfind("."), mantissa.rfind(","))
    fraction = mantissa[point + 1 :] if point >= 0 else ""
    try:
        return float(f"1e{int(exponent or 0) - (len(fraction) if fraction.isdecimal() else 0)}")
    except ValueError:  # digits of an exponent that are set apart
        return 0.0


def _scale_of(seconds: np.ndarray) -> float:
    """Return the largest of s, ms, us and ns in which these stamps have a rate that shows the seventh harmonic."""
    period = max(float(seconds[-1] - seconds[0]), 0) / (len(seconds) - 1)
    return next((scale for scale in (1.0, 1e-3, 1e-6, 1e-9) if period * scale * _SLOWEST <= 1), 1.0)


def spread(samples: np.ndarray, seconds: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Return (samples with NaN where rows are missing, rate).

    None where no step is long, or where the stamps are too coarse to tell.
    """
    steps = np.diff(seconds)
    usual = np.median(steps)
    regular = steps < 1.5 * usual
    if regular.all() or usual <= 0 or np.abs(steps[regular] / usual - 1).max() > 0.3:
        return None
    places = np.concatenate([[0], np.cumsum(np.maximum(np.rint(steps / steps[regular].mean()), 1))]).astype(int)
    if places[-1] > _LARGEST_GROWTH * len(samples):
        return None
    spread = np.full(places[-1] + 1, np.nan)
    spread[places] = samples
    return spread, float(1 / np.polyfit(places, seconds, 1)[0])


def rate_of(path: Path, rows: Sequence[int], seconds: np.ndarray, resolution: np.ndarray) -> float:
    """Return samples per second over the whole record.

    Single stamps may be rounded; none may run back or leave a gap.
    """
    steps, places = np.diff(seconds), np.arange(len(seconds))
    if seconds[-1] <= seconds[0] or (steps < 0).any():
        raise DatasetError(f"{path}, row {rows[1 + int(np.argmin(steps))]}: time does not run forward.")
    slope, start = np.polyfit(places, seconds - seconds[0], 1)
    astray = np.abs(seconds - seconds[0] - start - slope * places) > 1.5 * slope + resolution
    if astray.any():
        reason = "the samples are not evenly spaced; some are missing or the rate changes"
        raise DatasetError(f"{path}, row {rows[int(np.argmax(_longest(steps)))]}: {reason}.")
    return float(1 / slope)


def _longest(steps: np.ndarray) -> np.ndarray:
    """Return True at the sample behind the longest step."""
    return np.concatenate([[False], steps == steps.max()])
