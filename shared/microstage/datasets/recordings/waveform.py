"""One channel of a recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from microstage.datasets.recordings.units import quantity
from microstage.errors import DatasetError
from microstage.signals.gain import EXPONENTS

__all__ = ["LARGEST", "Channel", "Waveform"]

LARGEST = 2.0 ** (EXPONENTS[1] - 3)
"What a sample may be, in A or V: windows of training are up to four times as large, and resampling overshoots."


@dataclass(frozen=True)
class Waveform:
    """`samples` [L] at `rate` Hz in `unit`: A or V, or "" where the file says neither.

    `remarks` are sentences for who reads results.
    """

    samples: np.ndarray
    rate: float
    unit: str = ""
    remarks: tuple[str, ...] = ()
    name: str = ""

    @property
    def kind(self) -> str | None:
        """ "current" or "voltage", None where the file says neither."""
        return quantity(self.unit)

    def assert_held(self, name: str, largest: float = LARGEST) -> None:
        """Raise `DatasetError` that begins with `name` where a sample is beyond `largest`, which NaN is not."""
        beyond = np.abs(self.samples) > largest
        if beyond.any():
            first = int(np.argmax(beyond))
            found = (
                f"sample {first + 1}, at {first / self.rate:.6g} s, is {self.samples[first]:.4g} {self.unit}".rstrip()
            )
            raise DatasetError(
                f"{name}: {found}; expected at most {largest:.4g}: are its unit and its multiplier right?"
            )


@dataclass(frozen=True)
class Channel:
    """A channel that a file names; `read` is its waveform, or a `DatasetError` that says why it has none."""

    name: str
    read: Callable[[], Waveform]
