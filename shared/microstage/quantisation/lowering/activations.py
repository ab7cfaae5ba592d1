"""Quantisers: at the border real values become integers; within the network integers change their unit."""

from __future__ import annotations

from fractions import Fraction

import brevitas.nn as qnn
import numpy as np
from torch import fx, nn

from microstage.quantisation.integers.levels import Levels
from microstage.quantisation.integers.operations import Add, AveragePool, Operation, Quantise, Requantise
from microstage.quantisation.integers.rescaling import rounded
from microstage.quantisation.lowering.lowered import Lowered
from microstage.quantisation.quantisers.layers import QuantReLU6

__all__ = ["quantise"]


_SIX = 6  # where a ReLU6 ends


def quantise(lowered: Lowered, node: fx.Node, module: nn.Module) -> None:
    """Append a Quantise to the network's input, or a Requantise to integers."""
    source, levels = lowered.source(node), _levels(module, lowered.target.activations.affine)
    operation: Operation
    if source == lowered.input:
        operation = Quantise(str(node.target), (source,), node.name, levels, lowered.target.border_rounding)
    else:
        operation = _requantise(lowered, node, module, levels)
    lowered.append(node, operation, np.array([levels.scale]), levels)


def _requantise(lowered: Lowered, node: fx.Node, module: nn.Module, levels: Levels) -> Requantise:
    source, rounding = lowered.source(node), lowered.target.rounding
    lowest, highest = levels.lowest, levels.highest
    if isinstance(module, (qnn.QuantReLU, QuantReLU6)):
        lowest = max(lowest, levels.zero)
    if isinstance(module, QuantReLU6):
        highest = min(highest, levels.zero + rounded(Fraction(_SIX) / Fraction(levels.scale), rounding))
    return Requantise(
        layer=str(node.target),
        inputs=(source,),
        output=node.name,
        factors=_factors(lowered, source, levels),
        rounding=rounding,
        zero=lowered.zero(source),
        levels=levels,
        lowest=lowest,
        highest=highest,
        of_sum=isinstance(lowered.made_by(source), Add),
    )


def _factors(lowered: Lowered, source: str, levels: Levels) -> tuple[Fraction, ...]:
    """Return exactly how many new units one unit of the source is; the sum under a pool is divided by its area."""
    before = lowered.made_by(source)
    area = before.area if isinstance(before, AveragePool) else 1
    return tuple(Fraction(float(unit)) / (area * Fraction(levels.scale)) for unit in lowered.scales[source].flat)


def _levels(module: nn.Module, affine: bool) -> Levels:
    """Return the integers of a quantiser; those of an affine target are signed, as its consumers have them."""
    quantiser = module.act_quant
    bits, signed = int(quantiser.bit_width()), bool(quantiser.is_signed)
    lowest = -(2 ** (bits - 1)) + bool(quantiser.is_narrow_range) if signed else 0
    highest = 2 ** (bits - signed) - 1
    moved = 2 ** (bits - 1) if affine and not signed else 0
    return Levels(float(quantiser.scale()), int(quantiser.zero_point()) - moved, lowest - moved, highest - moved)
