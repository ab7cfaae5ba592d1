"""The quantised keyword network.

mfcc     [n, 490]  real features, coefficient-major
features [n, 490]  their integers at a constant scale
logits   [n, 12]   one scale for all classes, so that the largest integer is the answer; the first of equal ones
"""

from __future__ import annotations

import brevitas.nn as qnn
from brevitas.inject import ExtendedInjector
from brevitas.inject.enum import ScalingImplType
from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerTensorFloat, Uint8ActPerTensorFloat
from torch import Tensor, nn

from microstage.models.kws.definition import KeywordDefinition
from microstage.models.network import Network

__all__ = ["KeywordNetwork"]

_LARGEST_WEIGHT = 0.1  # where the learned range of the weights starts
_LARGEST_ACTIVATION = 1.0


def _weight(bits: int, per_channel: bool) -> type[ExtendedInjector]:
    return Int8WeightPerTensorFloat.let(
        bit_width=bits,
        narrow_range=True,
        scaling_impl_type=ScalingImplType.PARAMETER,
        scaling_init=_LARGEST_WEIGHT,
        scaling_per_output_channel=per_channel,
    )


def _constant(base: type[ExtendedInjector], bits: int, largest: float, **more) -> type[ExtendedInjector]:
    return base.let(bit_width=bits, scaling_impl_type=ScalingImplType.CONST, scaling_init=largest, **more)


class _Layer(nn.Module):
    def __init__(self, d: KeywordDefinition, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = qnn.QuantLinear(
            inputs, outputs, bias=False, weight_quant=_weight(d.weight_bits, per_channel=True)
        )
        self.bn = nn.BatchNorm1d(outputs)
        self.act = qnn.QuantReLU(act_quant=_constant(Uint8ActPerTensorFloat, d.act_bits, _LARGEST_ACTIVATION))
        self.dropout = nn.Dropout(d.dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.act(self.bn(self.linear(x))))


class KeywordNetwork(Network):
    def __init__(self, definition: KeywordDefinition) -> None:
        super().__init__()
        d = self.definition = definition
        self.features = qnn.QuantIdentity(
            act_quant=_constant(Int8ActPerTensorFloat, d.input_bits, d.input_range, narrow_range=True)
        )
        *hidden, (last, classes) = zip(d.widths, d.widths[1:])
        self.layers = nn.ModuleList(_Layer(d, *widths) for widths in hidden)
        self.out = qnn.QuantLinear(last, classes, bias=False, weight_quant=_weight(d.weight_bits, per_channel=False))

    def forward(self, mfcc: Tensor) -> Tensor:
        """Return logits [n, 12] of mfcc [n, 490]."""
        x = self.features(mfcc)
        for layer in self.layers:
            x = layer(x)
        return self.out(x)
