"""Write a function of integers as nodes of the integer graph, by the first of three ways that applies."""

from __future__ import annotations

from microstage_streamline.integerise.by_place import in_a_row
from microstage_streamline.integerise.channel_axis import differs_by_place
from microstage_streamline.integerise.emitter import Emitter
from microstage_streamline.integerise.exact_operators import exactly, is_exact
from microstage_streamline.integerise.function_levels import emit_levels
from microstage_streamline.integerise.functions import Function
from microstage_streamline.integerise.integers import Integers

__all__ = ["function_integers"]


def function_integers(emitter: Emitter, name: str, function: Function) -> Integers:
    """Append tensor `name`: by the operator itself where it is the same on integers, place by place, or by levels."""
    if len(function.nodes) == 1 and is_exact(function, emitter.values, emitter.constants):
        return exactly(emitter, name, function)
    name = emitter.boundary(function.nodes)
    if differs_by_place(function, emitter.constants):
        return in_a_row(emitter, name, function)
    return emit_levels(emitter, name, function)
