"""The quantised harmonic network, one step at a time: a wired estimate beside CNN, LSTM and four heads.

window      [n, 1, S]  integers of WINDOW_BITS (block floating point: see `signals.block_float`)
estimate    [n, 8]     the wired estimate of the window's phasors, in wide integers; `estimate_1` of the step before
features    [n, C]     the CNN's, and the differences of estimates: integers at the LSTM's io scale, quantised once
hidden      [n, H]     h, at the same scale, which is the heads' input quantiser too
correction  [n, 4]     to the amplitudes of the mean of estimates
keep        [n, 4]     1, or 0 where the mean starts anew: sum = keep * sum + estimate, count = keep * count + 1
"""

from __future__ import annotations

import brevitas.nn as qnn
import torch
from brevitas.inject import ExtendedInjector
from brevitas.inject.enum import ScalingImplType
from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerTensorFloat, Int32Bias, Uint8ActPerTensorFloat
from torch import Tensor, nn

from microstage.models.fused_lstm import fuse
from microstage.models.harmonic.definition import (
    ESTIMATE_BITS,
    ESTIMATE_SCALE,
    HARMONICS,
    LARGEST_ESTIMATE,
    PHASORS,
    WIRED_BITS,
    HarmonicDefinition,
)
from microstage.models.harmonic.steps import CORRECTION, ChannelAffine, Stepped, slide, soft
from microstage.models.harmonic.twin import GATES, IO_RANGE, FloatTwin
from microstage.models.harmonic.wired import wired_scale

__all__ = ["FloatTwin", "HarmonicNetwork"]

# Where each learned activation scale starts: the largest value that is represented. Sigmoid, tanh and h end at 1 by
# their nature; a gate's accumulator beyond 8 saturates its sigmoid; the cell seldom leaves +-4.
_ACCUMULATOR_RANGE, _CELL_RANGE = 8.0, 4.0
_SMALLEST_RANGE = 2.0**-4
_CELL_CEILING = 1.25  # few cells leave it, and tanh has flattened out there
_STATISTICS_STEPS = 32
_LAYER = "lstm.layers.0.0"


def _weight(bits: int) -> type[ExtendedInjector]:
    return Int8WeightPerTensorFloat.let(bit_width=bits)


def _fixed(base: type[ExtendedInjector], bits: int, scale: float, largest: int) -> type[ExtendedInjector]:
    """Return multiples of `scale`, for good."""
    return base.let(bit_width=bits, scaling_impl_type=ScalingImplType.CONST, scaling_init=scale * largest)


def _relu(bits: int) -> type[ExtendedInjector]:
    return Uint8ActPerTensorFloat.let(bit_width=bits, collect_stats_steps=_STATISTICS_STEPS)


def _unsigned(bits: int, largest: float) -> type[ExtendedInjector]:
    return _learned(Uint8ActPerTensorFloat, bits, largest)


def _signed(bits: int, largest: float) -> type[ExtendedInjector]:
    return _learned(Int8ActPerTensorFloat, bits, largest)


def _learned(base: type[ExtendedInjector], bits: int, largest: float) -> type[ExtendedInjector]:
    return base.let(bit_width=bits, scaling_impl_type=ScalingImplType.PARAMETER, scaling_init=largest)


class _Conv(qnn.QuantConv1d):
    """Convolution without padding; in training as one matrix product."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, weight: type[ExtendedInjector]) -> None:
        super().__init__(inputs, outputs, kernel, stride=stride, bias=False, weight_quant=weight)

    def inner_forward_impl(self, x: Tensor, quant_weight: Tensor, quant_bias: Tensor | None) -> Tensor:
        if torch.onnx.is_in_onnx_export():
            return super().inner_forward_impl(x, quant_weight, quant_bias)
        return slide(x, quant_weight, self.stride[0])


class _Convolutions(nn.Module):
    def __init__(self, d: HarmonicDefinition) -> None:
        super().__init__()
        weight = _weight(d.cnn_weight_bits)
        self.conv1 = _Conv(1, d.cnn_channels, d.kernel, d.stride, weight)
        self.bn1 = ChannelAffine(d.cnn_channels)
        self.act1 = qnn.QuantReLU(act_quant=_relu(d.cnn_act_bits))
        self.conv2 = _Conv(d.cnn_channels, d.cnn_features, d.positions, 1, weight)
        self.bn2 = ChannelAffine(d.cnn_features)

    def forward(self, window: Tensor) -> Tensor:
        x = self.act1(self.bn1(self.conv1(window)))
        return self.bn2(self.conv2(x)).flatten(1)


class _Estimate(nn.Module):
    """Frozen kernels, and one wide quantiser: every scale is a power of two."""

    def __init__(self, d: HarmonicDefinition) -> None:
        super().__init__()
        weight = _fixed(Int8WeightPerTensorFloat, WIRED_BITS, wired_scale(d.samples), 2 ** (WIRED_BITS - 1) - 1)
        self.conv = _Conv(1, PHASORS, d.samples, 1, weight).requires_grad_(False)
        narrow = Int8ActPerTensorFloat.let(narrow_range=True)
        self.act = qnn.QuantIdentity(act_quant=_fixed(narrow, ESTIMATE_BITS, ESTIMATE_SCALE, LARGEST_ESTIMATE))

    def forward(self, window: Tensor) -> Tensor:
        return self.act(self.conv(window)).flatten(1)


class _Head(nn.Module):
    def __init__(self, d: HarmonicDefinition) -> None:
        super().__init__()
        weight = _weight(d.head_weight_bits)
        self.linear = qnn.QuantLinear(d.hidden, d.head_width, bias=False, weight_quant=weight)
        self.bn = ChannelAffine(d.head_width)
        self.act = qnn.QuantReLU(act_quant=_relu(d.head_act_bits), return_quant_tensor=True)
        self.out = qnn.QuantLinear(d.head_width, 1, bias=True, weight_quant=weight, bias_quant=Int32Bias)
        self.keep = qnn.QuantLinear(d.head_width, 1, bias=True, weight_quant=weight, bias_quant=Int32Bias)

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        x = self.act(self.bn(self.linear(hidden)))
        return self.out(x), self.keep(x)


class HarmonicNetwork(Stepped):
    """The network that is exported; `FloatTwin` is its float form."""

    def __init__(self, definition: HarmonicDefinition) -> None:
        super().__init__()
        d = self.definition = definition
        self.cnn, self.estimate = _Convolutions(d), _Estimate(d)
        self.lstm = fuse(
            qnn.QuantLSTM(
                d.features,
                d.hidden,
                batch_first=True,
                weight_quant=_weight(d.lstm_weight_bits),
                bias_quant=None,
                io_quant=_signed(d.lstm_io_bits, IO_RANGE),
                gate_acc_quant=_signed(d.lstm_acc_bits, _ACCUMULATOR_RANGE),
                sigmoid_quant=_unsigned(d.lstm_sigmoid_bits, 1.0),
                tanh_quant=_signed(d.lstm_tanh_bits, 1.0),
                cell_state_quant=_signed(d.lstm_state_bits, _CELL_RANGE),
            )
        )
        self.heads = nn.ModuleList(_Head(d) for _ in HARMONICS)
        self.keep = qnn.QuantIdentity(
            act_quant=_fixed(Uint8ActPerTensorFloat, 1, 1.0, 1)
        )  # 0 up to one half, 1 above it

    def decide(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return correction and keep, 0 or 1, soft in training: hidden [n, H] -> [n, 4] each."""
        correction, keep = (torch.cat(parts, dim=1) for parts in zip(*(head(hidden) for head in self.heads)))
        return CORRECTION * correction, soft(keep) if self.training else self.keep(keep)

    def start_from(self, twin: FloatTwin, window: Tensor, shift: Tensor) -> None:
        """Copy the float twin's weights; each quantiser of the LSTM spans what the twin holds there over sequences."""
        own, state = self.state_dict(), twin.state_dict()
        state["estimate.conv.weight"] = torch.from_numpy(twin.wired.rounded()).float()[:, None]
        own.update({name: value for name, value in state.items() if not name.startswith("recurrent.")})
        bias = state["recurrent.bias_ih_l0"] + state["recurrent.bias_hh_l0"]
        stacked = {
            "bias": bias,
            "input_weight.weight": state["recurrent.weight_ih_l0"],
            "hidden_weight.weight": state["recurrent.weight_hh_l0"],
        }
        for role, value in stacked.items():
            for gate, part in zip(GATES, value.chunk(4)):
                own[f"{_LAYER}.{gate}_gate_params.{role}"] = part.clone()
        for quantiser, largest in twin.cell_ranges(window, shift).items():
            name = f"{_LAYER}.cell.{quantiser}_quant.fused_activation_quant_proxy.tensor_quant.scaling_impl.value"
            ceiling = (
                _ACCUMULATOR_RANGE
                if quantiser.endswith("_acc")
                else _CELL_CEILING
                if quantiser == "cell_state"
                else largest
            )
            own[name] = torch.full_like(own[name], max(min(largest, ceiling), _SMALLEST_RANGE))
        self.load_weights(own)
