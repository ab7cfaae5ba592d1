"""The fully connected layers of a binary network as one function: brevitas' own values and gradients, in a fraction of the operations.

Forward, layer by layer, for an input x, weights w and a batch norm's parameters:

    z = x q(w)^T          q: sign, or rounded to -1, 0, 1; on integers the product is exact
    y = batch norm(z)
    x = q(y) m            m: the dropout's mask, 0 or one and the same number

and after the last of them x q(w)^T alone. Backward, straight through the quantisers: a gradient passes a weight always, an
activation where it was not clipped.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.autograd import Function

if TYPE_CHECKING:
    from microstage.models.bnn.network import BinaryNetwork

__all__ = ["levels", "scores"]

_ONE = torch.tensor(1.0)
# hardtanh's gradient is zero from its bound on; brevitas' beyond 1 for one bit, and for two where a value rounds to 2
_BOUND = {1: math.nextafter(1.0, 2.0) + 1e-7, 2: 1.5}


def levels(x: Tensor, bits: int) -> Tensor:
    """x quantised to one or two bits at scale 1: its sign (that of 0 is 1), or the nearest of -1, 0, 1."""
    return torch.copysign(_ONE, x + 0.0) if bits == 1 else torch.round(x).clamp_(-1, 1)


def scores(network: BinaryNetwork, x: Tensor, masks: list[Tensor]) -> Tensor:
    """What the layers and the last product make of x [n, inputs]; a mask per hidden layer, or none at all."""
    parameters = [p for layer in network.layers for p in (layer.linear.weight, layer.bn.weight, layer.bn.bias)]
    return _Layers.apply(x, network, masks or [None] * len(network.layers), *parameters, network.out.weight)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """a b by NumPy, whose kernels are pinned to AVX2; those of the framework that every x86-64 has take three times as long."""
    return torch.from_numpy(a.numpy() @ b.numpy())


class _Layers(Function):
    @staticmethod
    def forward(ctx, x, network, masks, *parameters):
        d = ctx.definition = network.definition
        ctx.layers = []
        for layer, mask, weight, gamma, beta in zip(network.layers, masks, parameters[:-1:3], parameters[1::3], parameters[2::3]):
            bn, quantised = layer.bn, levels(weight, d.weight_bits)
            z = _product(x, quantised.t())
            y, mean, inverse = torch.native_batch_norm(
                z, gamma, beta, bn.running_mean, bn.running_var, bn.training, bn.momentum, bn.eps
            )
            ctx.layers.append((x, quantised, z, y, gamma, mean, inverse, bn, mask))
            x = levels(y, d.act_bits)
            x = x if mask is None else x.mul_(mask)
        ctx.last = x, levels(parameters[-1], d.weight_bits)
        return _product(x, ctx.last[1].t())

    @staticmethod
    def backward(ctx, gradient):
        x, quantised = ctx.last
        found = [_product(gradient.t(), x)]
        gradient, bound = _product(gradient, quantised), _BOUND[ctx.definition.act_bits]
        for place, (x, quantised, z, y, gamma, mean, inverse, bn, mask) in reversed(list(enumerate(ctx.layers))):
            gradient = gradient if mask is None else gradient.mul_(mask)
            gradient = torch.ops.aten.hardtanh_backward(gradient, y, -bound, bound)
            gradient, dgamma, dbeta = torch.ops.aten.native_batch_norm_backward(
                gradient, z, gamma, bn.running_mean, bn.running_var, mean, inverse, bn.training, bn.eps, [True, True, True]
            )
            found = [_product(gradient.t(), x), dgamma, dbeta, *found]
            gradient = _product(gradient, quantised) if place or ctx.needs_input_grad[0] else None
        return gradient, None, None, *found
