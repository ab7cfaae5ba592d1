"""The published quantisers: -1 or 1 for one bit, -1, 0 or 1 for two, at scale 1."""

from __future__ import annotations

from brevitas.core.bit_width import BitWidthImplType
from brevitas.core.quant import QuantType
from brevitas.core.restrict_val import FloatToIntImplType, RestrictValueType
from brevitas.core.scaling import ScalingImplType
from brevitas.core.zero_point import ZeroZeroPoint
from brevitas.inject import ExtendedInjector
from brevitas.quant.solver import ActQuantSolver, WeightQuantSolver

__all__ = ["activation", "pixels", "weight"]


class _Common(ExtendedInjector):
    bit_width_impl_type = BitWidthImplType.CONST
    scaling_impl_type = ScalingImplType.CONST
    restrict_scaling_type = RestrictValueType.FP
    zero_point_impl = ZeroZeroPoint
    float_to_int_impl_type = FloatToIntImplType.ROUND
    scaling_per_output_channel = False
    narrow_range = True
    signed = True


class _Weight(_Common, WeightQuantSolver):
    scaling_const = 1.0


class _Activation(_Common, ActQuantSolver):
    min_val = -1.0
    max_val = 1.0


def weight(bits: int) -> type[ExtendedInjector]:
    """Return a quantiser of weights, which passes every gradient; weights are held in [-1, 1] from outside."""
    return _Weight.let(bit_width=bits, quant_type=_type(bits))


def activation(bits: int) -> type[ExtendedInjector]:
    """Return a quantiser of activations, which passes gradients where it does not clip."""
    return _Activation.let(bit_width=bits, quant_type=_type(bits))


def pixels(bits: int) -> type[ExtendedInjector]:
    """Return an image in [-1, 1]: as an activation, or from three bits on at a power of two, -1 to 1 - 2^(1 - bits)."""
    if bits <= 2:
        return activation(bits)
    largest = 1.0 - 2.0 ** (1 - bits)
    return activation(bits).let(
        max_val=largest, narrow_range=False, restrict_scaling_type=RestrictValueType.POWER_OF_TWO
    )


def _type(bits: int) -> QuantType:
    return QuantType.BINARY if bits == 1 else QuantType.INT
