"""A layer of a binary network as one function: brevitas' own values and gradients, in a tenth of the operations.

Forward, for an input x, weights w and the batch norm's parameters:

    z = x q(w)^T          q: sign, or rounded to -1, 0, 1; on integers the product is exact
    y = batch norm(z)
    a = q(y) m            m: the dropout's mask

Backward, straight through both quantisers: a gradient passes a weight always, an activation where it was not clipped.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.autograd import Function

if TYPE_CHECKING:
    from microstage.models.bnn.network import BinaryNetwork, Dense

__all__ = ["levels", "scores"]

_ONE = torch.tensor(1.0)
# hardtanh's gradient is zero from the bound on, brevitas' beyond it; two bits are clipped once they round to 2
_PASSES = {1: math.nextafter(1.0, 2.0) + 1e-7, 2: 1.5}


def levels(x: Tensor, bits: int) -> Tensor:
    """x quantised at scale 1: its sign (that of 0 is 1), or the nearest of -1, 0, 1."""
    return torch.copysign(_ONE, x + 0.0) if bits == 1 else torch.round(x).clamp_(-1, 1)


def scores(network: BinaryNetwork, x: Tensor) -> Tensor:
    """What the network's last product makes of images x in [-1, 1]."""
    d = network.definition
    x = levels(x, d.input_bits) if d.input_bits in _PASSES else network.pixels(x)
    x = network.dropout(x)
    for layer in network.convolutions:
        x = layer(x)
    x = x.flatten(1)
    for layer in network.layers:
        x = _dense(layer, x, d.weight_bits, d.act_bits)
    return _Product.apply(x, network.out.weight, d.weight_bits)


def _dense(layer: Dense, x: Tensor, weight_bits: int, act_bits: int) -> Tensor:
    mask = layer.dropout.mask(x.new_empty(len(x), layer.linear.out_features))
    bn = layer.bn
    return _Dense.apply(x, layer.linear.weight, bn.weight, bn.bias, bn, mask, weight_bits, act_bits)


class _Product(Function):
    @staticmethod
    def forward(ctx, x, weight, bits):
        quantised = levels(weight, bits)
        ctx.save_for_backward(x, quantised)
        return x @ quantised.t()

    @staticmethod
    def backward(ctx, gradient):
        x, quantised = ctx.saved_tensors
        return gradient @ quantised, gradient.t() @ x, None


class _Dense(Function):
    @staticmethod
    def forward(ctx, x, weight, gamma, beta, bn, mask, weight_bits, act_bits):
        quantised = levels(weight, weight_bits)
        z = x @ quantised.t()
        if bn.training:
            bn.num_batches_tracked.add_(1)
        y, mean, inverse = torch.native_batch_norm(
            z, gamma, beta, bn.running_mean, bn.running_var, bn.training, bn.momentum, bn.eps
        )
        ctx.save_for_backward(x, quantised, gamma, z, y, mean, inverse, mask)
        ctx.norm, ctx.act_bits = bn, act_bits
        a = levels(y, act_bits)
        return a if mask is None else a.mul_(mask)

    @staticmethod
    def backward(ctx, gradient):
        x, quantised, gamma, z, y, mean, inverse, mask = ctx.saved_tensors
        bn, bound = ctx.norm, _PASSES[ctx.act_bits]
        gradient = gradient if mask is None else gradient * mask
        gradient = torch.ops.aten.hardtanh_backward(gradient, y, -bound, bound)
        dz, dgamma, dbeta = torch.ops.aten.native_batch_norm_backward(
            gradient, z, gamma, bn.running_mean, bn.running_var, mean, inverse, bn.training, bn.eps, [True, True, True]
        )
        dx = dz @ quantised if ctx.needs_input_grad[0] else None
        return dx, dz.t() @ x, dgamma, dbeta, None, None, None, None
