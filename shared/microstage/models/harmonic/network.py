"""The quantised harmonic network: CNN, LSTM, four heads. One class; its parts meet at named boundaries.

    window    [n, 1, N]   integers at scale 2^-7 (block floating point: see `signals.block_float`)
    features  [n, T, C]   integers at the LSTM's io scale: the CNN has no other last quantiser
    hidden    [n, H]      the last h, at the same scale, which is the heads' input quantiser too
    harmonics [n, 4]      amplitudes of H1, H3, H5, H7 over the window's gain
"""

from __future__ import annotations

import brevitas.nn as qnn
import torch
from brevitas.inject import ExtendedInjector
from brevitas.inject.enum import ScalingImplType
from brevitas.quant import Int8ActPerTensorFloat, Int8WeightPerTensorFloat, Int32Bias, Uint8ActPerTensorFloat
from torch import Tensor, nn

from microstage.models.fused_lstm import fuse
from microstage.models.harmonic.definition import HARMONICS, SECOND_KERNEL, HarmonicDefinition
from microstage.models.harmonic.start import start_as_estimate
from microstage.models.network import Network

__all__ = ["FloatTwin", "HarmonicNetwork"]

# Where each learned activation scale starts: the largest value that is represented. Sigmoid, tanh and h end at 1 by
# their nature; a gate's accumulator beyond 8 saturates its sigmoid; the cell seldom leaves +-4.
_IO_RANGE, _ACCUMULATOR_RANGE, _CELL_RANGE = 1.0, 8.0, 4.0
_SMALLEST_RANGE = 2.0**-4
_CELL_CEILING = 1.25  # few cells leave it, and tanh has flattened out there
# In levels of an 8-bit quantiser. The last h passes the cell's and its own, and the heads read a harmonic of a hundredth out of it.
_FEATURE_NOISE, _HIDDEN_NOISE = 0.5, 2.0
_STATISTICS_STEPS = 32
_GATES = ("input", "forget", "cell", "output")  # as torch stacks them
_LAYER = "lstm.layers.0.0"


def _weight(bits: int) -> type[ExtendedInjector]:
    return Int8WeightPerTensorFloat.let(bit_width=bits)


def _relu(bits: int) -> type[ExtendedInjector]:
    return Uint8ActPerTensorFloat.let(bit_width=bits, collect_stats_steps=_STATISTICS_STEPS)


def _unsigned(bits: int, largest: float) -> type[ExtendedInjector]:
    return _learned(Uint8ActPerTensorFloat, bits, largest)


def _signed(bits: int, largest: float) -> type[ExtendedInjector]:
    return _learned(Int8ActPerTensorFloat, bits, largest)


def _learned(base: type[ExtendedInjector], bits: int, largest: float) -> type[ExtendedInjector]:
    return base.let(bit_width=bits, scaling_impl_type=ScalingImplType.PARAMETER, scaling_init=largest)


def _slide(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """Convolution of x [n, C, L] as one matrix product: many times faster than the framework's own without oneDNN."""
    columns = x.unfold(2, weight.shape[2], stride).transpose(2, 3).reshape(len(x), weight[0].numel(), -1)
    return torch.matmul(weight.flatten(1), columns)


class _ExportedConv(torch.autograd.Function):
    """One Conv that pads on one side alone; the framework would write a Pad before it."""

    @staticmethod
    def symbolic(g, x, weight, stride, history):
        kernel = weight.type().sizes()[2]
        return g.op("Conv", x, weight, kernel_shape_i=[kernel], strides_i=[stride], pads_i=[history, 0], dilations_i=[1], group_i=1)

    @staticmethod
    def forward(ctx, x, weight, stride, history):
        return _slide(nn.functional.pad(x, (history, 0)), weight, stride)


class _LookingBack(qnn.QuantConv1d):
    """Convolution over time that ends at each position and reads `history` zeros before the first."""

    def __init__(self, inputs: int, outputs: int, kernel: int, bits: int, stride: int = 1, history: int = 0) -> None:
        super().__init__(inputs, outputs, kernel, stride=stride, bias=False, weight_quant=_weight(bits))
        self.history = history

    def inner_forward_impl(self, x: Tensor, quant_weight: Tensor, quant_bias: Tensor | None) -> Tensor:
        if torch.onnx.is_in_onnx_export():
            return _ExportedConv.apply(x, quant_weight, self.stride[0], self.history)
        return _slide(nn.functional.pad(x, (self.history, 0)), quant_weight, self.stride[0])


class _Convolutions(nn.Module):
    def __init__(self, d: HarmonicDefinition) -> None:
        super().__init__()
        self.conv1 = _LookingBack(1, d.cnn_channels, d.kernel, d.cnn_weight_bits, d.stride, d.history)
        self.bn1 = nn.BatchNorm1d(d.cnn_channels)
        self.act1 = qnn.QuantReLU(act_quant=_relu(d.cnn_act_bits))
        self.conv2 = _LookingBack(d.cnn_channels, d.features, SECOND_KERNEL, d.cnn_weight_bits)
        self.bn2 = nn.BatchNorm1d(d.features)
        self.pool = nn.MaxPool1d(2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act1(self.bn1(self.conv1(x)))
        return self.pool(self.bn2(self.conv2(x))).transpose(1, 2)


class _Head(nn.Module):
    def __init__(self, d: HarmonicDefinition) -> None:
        super().__init__()
        weight = _weight(d.head_weight_bits)
        self.linear = qnn.QuantLinear(d.hidden, d.head_width, bias=False, weight_quant=weight)
        self.bn = nn.BatchNorm1d(d.head_width)
        self.act = qnn.QuantReLU(act_quant=_relu(d.head_act_bits), return_quant_tensor=True)
        self.out = qnn.QuantLinear(d.head_width, 1, bias=True, weight_quant=weight, bias_quant=Int32Bias)

    def forward(self, h: Tensor) -> Tensor:
        return self.out(self.act(self.bn(self.linear(h))))


class FloatTwin(nn.Module):
    """The same network in float32: trained first, and the measure of what quantising costs."""

    def __init__(self, definition: HarmonicDefinition) -> None:
        super().__init__()
        d = self.definition = definition
        self.cnn = nn.Module()
        self.cnn.conv1 = nn.Conv1d(1, d.cnn_channels, d.kernel, bias=False)
        self.cnn.bn1 = nn.BatchNorm1d(d.cnn_channels)
        self.cnn.conv2 = nn.Conv1d(d.cnn_channels, d.features, SECOND_KERNEL, bias=False)
        self.cnn.bn2 = nn.BatchNorm1d(d.features)
        self.lstm = nn.LSTM(d.features, d.hidden, batch_first=True)
        self.heads = nn.ModuleList(self._head(d) for _ in HARMONICS)
        start_as_estimate(self.cnn, self.lstm)

    @staticmethod
    def _head(d: HarmonicDefinition) -> nn.Module:
        head = nn.Module()
        head.linear = nn.Linear(d.hidden, d.head_width, bias=False)
        head.bn = nn.BatchNorm1d(d.head_width)
        head.out = nn.Linear(d.head_width, 1)
        return head

    def features(self, window: Tensor) -> Tensor:
        """window [n, 1, N] -> features [n, T, C], held where the io quantiser will clip."""
        d = self.definition
        x = nn.functional.pad(window, (d.history, 0))
        x = torch.relu(self.cnn.bn1(_slide(x, self.cnn.conv1.weight, d.stride)))
        x = nn.functional.max_pool1d(self.cnn.bn2(_slide(x, self.cnn.conv2.weight, 1)), 2).transpose(1, 2)
        return x.clamp(-_IO_RANGE, _IO_RANGE)

    def forward(self, window: Tensor) -> Tensor:
        """window [n, 1, N] -> harmonics [n, 4]."""
        sequence, _ = self.lstm(self._roughened(self.features(window), _FEATURE_NOISE))
        hidden = self._roughened(sequence[:, -1], _HIDDEN_NOISE)
        return torch.cat([head.out(torch.relu(head.bn(head.linear(hidden)))) for head in self.heads], dim=1)

    def _roughened(self, value: Tensor, levels: float) -> Tensor:
        """In training, uniform noise as wide as `levels` of an 8-bit quantiser: what the twin finds has to survive quantisation."""
        return value + (torch.rand_like(value) - 0.5) * (levels * _IO_RANGE / 128) if self.training else value

    @torch.no_grad()
    def cell_ranges(self, window: Tensor) -> dict[str, float]:
        """Largest magnitude that each quantiser inside the LSTM has to hold, by its name, over windows [n, 1, N] (in eval mode)."""
        self.eval()
        largest: dict[str, float] = {}

        def seen(name: str, value: Tensor) -> Tensor:
            largest[name] = max(largest.get(name, 0.0), float(value.abs().max()))
            return value

        x, weight = self.features(window), dict(self.lstm.named_parameters())
        hidden = cell = torch.zeros(len(x), self.definition.hidden)
        for step in x.unbind(1):
            sums = torch.nn.functional.linear(step, weight["weight_ih_l0"], weight["bias_ih_l0"])
            sums = sums + torch.nn.functional.linear(hidden, weight["weight_hh_l0"], weight["bias_hh_l0"])
            gate = dict(zip(_GATES, sums.chunk(4, dim=1)))
            for name, value in gate.items():
                seen(f"{name}_acc", value)
            new = seen("cell_tanh", torch.tanh(gate["cell"]))
            kept = seen("cell_state", torch.sigmoid(gate["forget"]) * cell)
            cell = seen("cell_state", kept + torch.sigmoid(gate["input"]) * new)
            hidden = torch.sigmoid(gate["output"]) * seen("hidden_state_tanh", torch.tanh(cell))
        return largest


class HarmonicNetwork(Network):
    """The network that is exported; `FloatTwin` is its float form."""

    def __init__(self, definition: HarmonicDefinition) -> None:
        super().__init__()
        d = self.definition = definition
        self.cnn = _Convolutions(d)
        self.lstm = fuse(
            qnn.QuantLSTM(
                d.features,
                d.hidden,
                batch_first=True,
                weight_quant=_weight(d.lstm_weight_bits),
                bias_quant=None,
                io_quant=_signed(d.lstm_io_bits, _IO_RANGE),
                gate_acc_quant=_signed(d.lstm_acc_bits, _ACCUMULATOR_RANGE),
                sigmoid_quant=_unsigned(d.lstm_sigmoid_bits, 1.0),
                tanh_quant=_signed(d.lstm_tanh_bits, 1.0),
                cell_state_quant=_signed(d.lstm_state_bits, _CELL_RANGE),
            )
        )
        self.heads = nn.ModuleList(_Head(d) for _ in HARMONICS)

    def start_from(self, twin: FloatTwin, window: Tensor) -> None:
        """Copy the float twin's weights, and let each quantiser of the LSTM span what the twin holds there over `window`."""
        own, state = self.state_dict(), twin.state_dict()
        own.update({name: value for name, value in state.items() if not name.startswith("lstm.")})
        bias = state["lstm.bias_ih_l0"] + state["lstm.bias_hh_l0"]
        stacked = {"bias": bias, "input_weight.weight": state["lstm.weight_ih_l0"], "hidden_weight.weight": state["lstm.weight_hh_l0"]}
        for role, value in stacked.items():
            for gate, part in zip(_GATES, value.chunk(4)):
                own[f"{_LAYER}.{gate}_gate_params.{role}"] = part.clone()
        for quantiser, largest in twin.cell_ranges(window).items():
            name = f"{_LAYER}.cell.{quantiser}_quant.fused_activation_quant_proxy.tensor_quant.scaling_impl.value"
            ceiling = _ACCUMULATOR_RANGE if quantiser.endswith("_acc") else _CELL_CEILING if quantiser == "cell_state" else largest
            own[name] = torch.full_like(own[name], max(min(largest, ceiling), _SMALLEST_RANGE))
        self.load_weights(own)

    def forward(self, window: Tensor) -> Tensor:
        """window [n, 1, N], multiples of 2^-7 -> harmonics [n, 4], amplitudes over the window's gain."""
        sequence, _ = self.lstm(self.cnn(window))
        hidden = sequence[:, -1]
        return torch.cat([head(hidden) for head in self.heads], dim=1)
