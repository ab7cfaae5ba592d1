"""Write a sum of two tensors at different scales, and the quantiser behind it, as nodes of the integer graph."""

from __future__ import annotations

import numpy as np

from microstage.errors import ModelError
from microstage.integer.lines import Line
from microstage_streamline.graph.graph import Node
from microstage_streamline.integerise.emit_function import emit_function
from microstage_streamline.integerise.emit_staircase import emit_lines, emit_thresholds
from microstage_streamline.integerise.emit_tflite_terms import emit_tflite_terms
from microstage_streamline.integerise.emit_turning import emit_turning_steps
from microstage_streamline.integerise.emitter import Emitter
from microstage_streamline.integerise.integers import Integers
from microstage_streamline.integerise.rescaled_sum import RescaledSum, with_small_factors
from microstage_streamline.integerise.staircases import ChannelLines, TurningSteps
from microstage_streamline.integerise.weighted_sum import weighted_sum

__all__ = ["emit_sum"]


def emit_sum(emitter: Emitter, joined: RescaledSum) -> Integers:
    """Append the quantised sum: with small factors where every pair can be looked at, else with wide weights."""
    name = emitter.boundary(joined.nodes)
    try:
        found = with_small_factors(joined, emitter.constants)
    except ModelError:
        if joined.nodes[0].op == "TfliteAdd":
            return emit_function(emitter, name, emit_tflite_terms(emitter, name, joined))
        wide = _wide_sum(emitter, name, joined)
        if wide is None:
            raise
        return wide
    total = _weighted_terms(emitter, name, joined, found.p, found.r)
    if isinstance(found.levels, TurningSteps):
        return emit_turning_steps(emitter, name, joined, total, found.levels)
    return emit_thresholds(emitter, name, found.levels, total, joined)


def _wide_sum(emitter: Emitter, name: str, joined: RescaledSum) -> Integers | None:
    """Append one multiply-add-shift of both terms; None where no whole weights stand for the sum."""
    weighted = weighted_sum(joined, emitter.constants)
    if weighted is None:
        return None
    weights = weighted.weights
    total = _weighted_terms(emitter, name, joined, np.array(weights.p), np.array(weights.r))
    line = Line(np.array([1]), np.array([weights.addend]), weights.shift, weights.ties)
    return emit_lines(emitter, name, ChannelLines(line, weighted.low, weighted.high, 1), total, joined)


def _weighted_terms(emitter: Emitter, name: str, joined: RescaledSum, p: np.ndarray, r: np.ndarray) -> Integers:
    """Append p a + r b."""
    terms, layer = [], joined.nodes[0].layer
    for side, term, factor in (("left", joined.a, p), ("right", joined.b, r)):
        stored = emitter.store(f"{name}.{side}.factor", factor)
        terms.append(emitter.emit(Node("Mul", [term.name, stored], [f"{name}.{side}"], {}, layer), None, term))
    return emitter.emit(Node("Add", [term.name for term in terms], [f"{name}.sum"], {}, layer), None, *terms)
