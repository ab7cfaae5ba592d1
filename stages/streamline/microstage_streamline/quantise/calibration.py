"""Read the user's example inputs, and choose which of them to calibrate on and which to hold out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from microstage.errors import ArtefactError
from microstage.untrusted.npz import array_or_arrays_of
from microstage_streamline.graph.graph import GraphInput

__all__ = ["FEW", "Arrays", "CalibrationRows", "read_calibration"]

FEW = 32
"Rows, of which fewer say little of what a tensor holds."
_HELD_OUT = 4  # one row of so many is held out,
_ENOUGH = 64  # where there are so many

Arrays = Mapping[str, np.ndarray]


def read_calibration(path: Path, called: str, inputs: Mapping[str, GraphInput]) -> CalibrationRows:
    """Return the rows of an .npz with an array for each of the graph's `inputs`, or an array alone for a single
    one; `ArtefactError` for whatever does not fit.
    """
    given = _array_or_arrays(path, called)
    if len(inputs) == len(given) == 1:
        given = dict(zip(inputs, given.values()))
    found = {name: _rows(given, name, entry, called) for name, entry in inputs.items()}
    counts = {name: len(rows) for name, rows in found.items()}
    if len({*counts.values()}) > 1 or 0 in counts.values():
        said = ", ".join(f"{count} of {name}" for name, count in counts.items())
        raise ArtefactError(f"CALIBRATION={called} has {said}; expected rows, the same number of each input.")
    return CalibrationRows(found)


def _array_or_arrays(path: Path, called: str) -> dict[str, np.ndarray]:
    try:
        return array_or_arrays_of(path)
    except ValueError as error:
        remedy = "numpy.save or numpy.savez writes them"
        raise ArtefactError(f"CALIBRATION={called} holds no arrays: {error}; {remedy}.") from None


def _rows(given: Arrays, name: str, entry: GraphInput, called: str) -> np.ndarray:
    """Return the rows of one input, in its own type."""
    if name not in given:
        held = ", ".join(sorted(filter(None, given))) or "an array without a name"
        raise ArtefactError(f"CALIBRATION={called} has no {name}; it holds {held}, and the network needs every input.")
    rows, expected = given[name], f"[n, {', '.join(map(str, entry.shape[1:]))}]"
    if rows.shape[1:] != entry.shape[1:] or not rows.ndim:
        raise ArtefactError(f"CALIBRATION={called} has {name} of shape {list(rows.shape)}; expected {expected}.")
    if rows.dtype.kind not in "biuf" or not np.isfinite(rows).all():
        raise ArtefactError(f"CALIBRATION={called} has {name}, which holds something else than finite numbers.")
    if entry.datatype is None:
        return rows.astype(np.float32)
    low, high = entry.datatype
    if rows.size and (np.any(rows != np.rint(rows)) or rows.min() < low or rows.max() > high):
        raise ArtefactError(f"CALIBRATION={called} has {name} outside its range: expected integers {low}..{high}.")
    return rows.astype(np.int64)


@dataclass(frozen=True)
class CalibrationRows:
    """Example inputs, so many of them `at_once`."""

    arrays: Arrays
    at_once: int = 1

    @property
    def count(self) -> int:
        return len(next(iter(self.arrays.values())))

    def of(self, places: np.ndarray) -> CalibrationRows:
        """Return some of the rows."""
        return replace(self, arrays={name: rows[places] for name, rows in self.arrays.items()})

    def spread(self, most: int) -> CalibrationRows:
        """Return at most so many rows, evenly spread."""
        return self if self.count <= most else self.of(np.arange(most) * self.count // most)

    def split(self) -> tuple[CalibrationRows, CalibrationRows]:
        """Return (rows to calibrate on, rows that are held out): each fourth, where there are enough."""
        held = (np.arange(self.count) % _HELD_OUT == _HELD_OUT - 1) & (self.count >= _ENOUGH)
        return self.of(np.flatnonzero(~held)), self.of(np.flatnonzero(held))

    def parts(self) -> Iterator[Arrays]:
        """Yield a few rows at a time."""
        for start in range(0, self.count, self.at_once):
            yield {name: rows[start : start + self.at_once] for name, rows in self.arrays.items()}
