"""Write a function of integers as nodes of the integer graph, by the first of three ways that applies."""

from __future__ import annotations

from microstage_streamline.integerise.channel_axis import differs_by_place
from microstage_streamline.integerise.emit_exact import emit_exact, is_exact
from microstage_streamline.integerise.emit_levels import emit_levels
from microstage_streamline.integerise.emit_place_by_place import emit_place_by_place
from microstage_streamline.integerise.emitter import Emitter
from microstage_streamline.integerise.functions import Function
from microstage_streamline.integerise.integers import Integers

__all__ = ["emit_function"]


def emit_function(emitter: Emitter, name: str, function: Function) -> Integers:
    """Append tensor `name`: by the operator itself where it is the same on integers, place by place, or by levels."""
    if len(function.nodes) == 1 and is_exact(function, emitter.values, emitter.constants):
        return emit_exact(emitter, name, function)
    name = emitter.boundary(function.nodes)
    if differs_by_place(function, emitter.constants):
        return emit_place_by_place(emitter, name, function)
    return emit_levels(emitter, name, function)
