"""Represent a staircase over integers in three forms: thresholds, lines, and steps that turn round."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microstage.integer.lines import Line
from microstage_streamline.finn.annotate_datatypes import datatype_of
from microstage_streamline.integerise.channel_axis import layout_of

__all__ = ["ChannelLines", "ChannelThresholds", "Staircase", "TurningSteps", "channel_thresholds"]


@dataclass(frozen=True)
class ChannelThresholds:
    """`table` [channels or 1, levels - 1] and `low` as in `thresholds.Thresholds`; channels lie along `axis`.

    `flipped` [channels or 1]: where the function falls, so that the thresholds are of the negated integers.
    """

    table: np.ndarray
    low: int
    flipped: np.ndarray
    axis: int
    datatype: str
    layout: str

    def over(self, rank: int) -> np.ndarray:
        """Return `flipped`, shaped to be broadcast to a tensor of `rank`."""
        return self.flipped.reshape([self.flipped.size if axis == self.axis else 1 for axis in range(rank)])


@dataclass(frozen=True)
class ChannelLines:
    """A staircase of more or larger thresholds than FINN-ONNX holds: one line for each channel along `axis`.

    It is held to low..high. `rest` is a second one that is added, of a function that bends at 0.
    """

    line: Line
    low: int
    high: int
    axis: int
    rest: ChannelLines | None = None


@dataclass(frozen=True)
class TurningSteps:
    """A function that rises and falls, by one level at each step.

    `first` [channels]: its levels at the least integer; `rising`, `falling`: for each channel, the integers at which it
    steps. All levels lie within `ends`, channels along `axis`.
    """

    first: np.ndarray
    rising: list[np.ndarray]
    falling: list[np.ndarray]
    ends: tuple[int, int]
    axis: int


Staircase = ChannelThresholds | ChannelLines


def channel_thresholds(
    table: np.ndarray, low: int, axis: int, rank: int, flipped: np.ndarray | None = None
) -> ChannelThresholds:
    """Return thresholds of a tensor of `rank`, in one row where all channels have the same."""
    flipped = np.zeros(1, bool) if flipped is None else flipped
    table = table[:1] if np.array_equal(table, np.broadcast_to(table[:1], table.shape)) else table
    kind = datatype_of(low, low + table.shape[1]).name
    return ChannelThresholds(table, low, flipped, axis, kind, layout_of(axis, rank))
