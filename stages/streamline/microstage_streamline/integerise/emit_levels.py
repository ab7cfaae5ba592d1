"""Write a function of integers as nodes that count its levels."""

from __future__ import annotations

from microstage_streamline.integerise.emit_staircase import emit_lines, emit_thresholds
from microstage_streamline.integerise.emit_turning import emit_turning
from microstage_streamline.integerise.emitter import Emitter
from microstage_streamline.integerise.function_staircase import staircase_of
from microstage_streamline.integerise.functions import Function
from microstage_streamline.integerise.integers import Integers
from microstage_streamline.integerise.staircases import ChannelLines

__all__ = ["emit_levels"]


def emit_levels(emitter: Emitter, name: str, function: Function) -> Integers:
    """Append thresholds, a line where they are too many, or a sum of thresholds where the function turns round."""
    if function.may_turn(emitter.constants):
        return emit_turning(emitter, name, function)
    found, start = staircase_of(function, emitter.constants), function.start
    if isinstance(found, ChannelLines):
        return emit_lines(emitter, name, found, start, function)
    start = emitter.turned(start, found.over(start.range.low.ndim)) if found.flipped.any() else start
    return emit_thresholds(emitter, name, found, start, function)
