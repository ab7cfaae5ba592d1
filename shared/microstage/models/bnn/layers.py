"""The layers of the binary networks, in brevitas' own: fully connected, convolved, and the norm of all scores."""

from __future__ import annotations

import brevitas.nn as qnn
import torch
from torch import Tensor, nn

from microstage.models.bnn import quantisers
from microstage.models.bnn.definition import BinaryDefinition, Convolution

__all__ = ["BinaryDense", "Convolved", "TensorNorm"]

_EPSILON = 1e-4
_KERNEL, _POOL = 3, 2


class TensorNorm(nn.Module):
    """Batch norm of all scores together: one mean, one variance, one gamma, one beta."""

    def __init__(self, momentum: float = 0.1) -> None:
        super().__init__()
        self.momentum = momentum
        self.weight, self.bias = nn.Parameter(torch.ones(1)), nn.Parameter(torch.zeros(1))
        self.register_buffer("running_mean", torch.zeros(1))
        self.register_buffer("running_var", torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return (x - self.running_mean) / (self.running_var + _EPSILON).sqrt() * self.weight + self.bias
        flat = nn.functional.batch_norm(
            x.reshape(1, 1, -1),
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            True,
            self.momentum,
            _EPSILON,
        )
        return flat.reshape(x.shape)


class BinaryDense(nn.Module):
    def __init__(self, d: BinaryDefinition, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = qnn.QuantLinear(inputs, outputs, bias=False, weight_quant=quantisers.weight(d.weight_bits))
        self.bn = nn.BatchNorm1d(outputs, eps=_EPSILON)
        self.act = qnn.QuantIdentity(act_quant=quantisers.activation(d.act_bits))

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.linear(x)))


class Convolved(nn.Module):
    def __init__(self, d: BinaryDefinition, c: Convolution) -> None:
        super().__init__()
        self.conv = qnn.QuantConv2d(
            c.inputs, c.channels, _KERNEL, bias=False, weight_quant=quantisers.weight(d.weight_bits)
        )
        self.bn = nn.BatchNorm2d(c.channels, eps=_EPSILON)
        self.act = qnn.QuantIdentity(act_quant=quantisers.activation(d.act_bits))
        self.pool = nn.MaxPool2d(_POOL) if c.pooled else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.act(self.bn(self.conv(x))))
