"""A convolution, and all fully connected layers, of a binary network as one function each.

Values and gradients are brevitas' own.

Forward, layer by layer, for an input x, weights w and a batch norm's parameters:

    z = x q(w)^T          q: sign, or rounded to -1, 0, 1; on integers the product is exact
    y = batch norm(z)
    x = q(y) m            m: the dropout's mask, 0 or one and the same number

and after the last of them x q(w)^T alone; a convolution's product is that of the columns that its kernel sees.
Backward, straight through the quantisers: a gradient passes a weight always, an activation where it was not clipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd import Function

from microstage.models.bnn.definition import BinaryDefinition
from microstage.models.bnn.layers import BinaryDense, Convolved

__all__ = ["convolved", "levels", "scores"]

_COLUMNS = 1 << 22  # numbers that are laid out at once

_ONE = torch.tensor(1.0)
# hardtanh's gradient is zero from its bound on; brevitas' beyond 1 for one bit, and for two where a value rounds to 2
_BOUND = {1: math.nextafter(1.0, 2.0) + 1e-7, 2: 1.5}


def levels(x: Tensor, bits: int) -> Tensor:
    """Return x quantised to one or two bits at scale 1: its sign (that of 0 is 1), or the nearest of -1, 0, 1."""
    return torch.copysign(_ONE, x + 0.0) if bits == 1 else torch.round(x).clamp_(-1, 1)


def scores(
    layers: Iterable[BinaryDense], last: nn.Module, definition: BinaryDefinition, x: Tensor, masks: list[Tensor]
) -> Tensor:
    """Return what `layers` and the `last` product make of x [n, inputs]; a mask per layer, or none at all."""
    hidden = list(layers)
    parameters = [p for layer in hidden for p in (layer.linear.weight, layer.bn.weight, layer.bn.bias)]
    norms = [layer.bn for layer in hidden]
    return _Layers.apply(x, norms, definition, masks or [None] * len(hidden), *parameters, last.weight)


def convolved(layer: Convolved, x: Tensor, weight_bits: int, act_bits: int) -> Tensor:
    """Return x [n, inputs, H, W] convolved without padding, normalised and quantised; not pooled."""
    return _Convolved.apply(x, layer.conv.weight, layer.bn.weight, layer.bn.bias, layer.bn, weight_bits, act_bits)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Return a b by NumPy, whose kernels are pinned to AVX2.

    Those of the framework that every x86-64 has take three times as long.
    """
    return torch.from_numpy(a.numpy() @ b.numpy())


def _normalised(z: Tensor, gamma: Tensor, beta: Tensor, bn: nn.Module) -> tuple[Tensor, Tensor, Tensor]:
    """Return (batch norm of z, the batch's mean, one over its deviation)."""
    return torch.native_batch_norm(z, gamma, beta, bn.running_mean, bn.running_var, bn.training, bn.momentum, bn.eps)


def _back(gradient: Tensor, z, y, gamma, mean, inverse, bn: nn.Module, bits: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return gradients of z, gamma and beta from that of q(y)."""
    gradient = torch.ops.aten.hardtanh_backward(gradient, y, -_BOUND[bits], _BOUND[bits])
    return torch.ops.aten.native_batch_norm_backward(
        gradient, z, gamma, bn.running_mean, bn.running_var, mean, inverse, bn.training, bn.eps, [True, True, True]
    )


class _Layers(Function):
    @staticmethod
    def forward(ctx, x, norms, d, masks, *parameters):
        ctx.definition, ctx.layers = d, []
        for bn, mask, weight, gamma, beta in zip(norms, masks, parameters[:-1:3], parameters[1::3], parameters[2::3]):
            quantised = levels(weight, d.weight_bits)
            z = _product(x, quantised.t())
            y, mean, inverse = _normalised(z, gamma, beta, bn)
            ctx.layers.append((x, quantised, mask, (z, y, gamma, mean, inverse, bn)))
            x = levels(y, d.act_bits)
            x = x if mask is None else x.mul_(mask)
        ctx.last = x, levels(parameters[-1], d.weight_bits)
        return _product(x, ctx.last[1].t())

    @staticmethod
    def backward(ctx, gradient):
        x, quantised = ctx.last
        found = [_product(gradient.t(), x)]
        gradient = _product(gradient, quantised)
        for place, (x, quantised, mask, norm) in reversed(list(enumerate(ctx.layers))):
            gradient = gradient if mask is None else gradient.mul_(mask)
            gradient, dgamma, dbeta = _back(gradient, *norm, ctx.definition.act_bits)
            found = [_product(gradient.t(), x), dgamma, dbeta, *found]
            gradient = _product(gradient, quantised) if place or ctx.needs_input_grad[0] else None
        return gradient, None, None, None, *found


class _Convolved(Function):
    @staticmethod
    def forward(ctx, x, weight, gamma, beta, bn, weight_bits, act_bits):
        ctx.kernel, ctx.act_bits = weight.shape[2:], act_bits
        quantised = levels(weight, weight_bits).permute(0, 2, 3, 1).flatten(1)
        size = [across - kernel + 1 for across, kernel in zip(x.shape[2:], ctx.kernel)]
        z = x.new_empty(len(x), len(weight), *size)
        for rows in _pieces(len(x), math.prod(size) * quantised.shape[1]):
            np.matmul(
                quantised.numpy(), _columns(x[rows], ctx.kernel).transpose(1, 2).numpy(), out=z[rows].flatten(2).numpy()
            )
        y, mean, inverse = _normalised(z, gamma, beta, bn)
        ctx.inputs, ctx.norm = (x, quantised), (z, y, gamma, mean, inverse, bn)
        return levels(y, act_bits)

    @staticmethod
    def backward(ctx, gradient):
        x, quantised = ctx.inputs
        gradient, dgamma, dbeta = _back(gradient, *ctx.norm, ctx.act_bits)
        dweight, dx = torch.zeros_like(quantised), torch.empty_like(x) if ctx.needs_input_grad[0] else None
        for rows in _pieces(len(x), gradient[0, 0].numel() * quantised.shape[1]):
            pull = gradient[rows].flatten(2).transpose(1, 2).contiguous()
            dweight += _product(pull.flatten(0, 1).t(), _columns(x[rows], ctx.kernel).flatten(0, 1))
            if dx is not None:
                _sum_columns(_product(pull.flatten(0, 1), quantised), ctx.kernel, dx[rows])
        dweight = dweight.view(len(dweight), *ctx.kernel, -1).permute(0, 3, 1, 2)
        return dx, dweight.contiguous(), dgamma, dbeta, None, None, None


def _pieces(images: int, numbers: int) -> list[slice]:
    """Return the images, as many at a time as `_COLUMNS` allows where each takes `numbers`."""
    step = max(1, _COLUMNS // numbers)
    return [slice(first, first + step) for first in range(0, images, step)]


def _columns(x: Tensor, kernel: torch.Size) -> Tensor:
    """Return what a kernel sees of x [n, channels, H, W]: [n, places, taps * channels].

    A kernel's row is copied as one piece.
    """
    last = x.permute(0, 2, 3, 1).contiguous()
    images, rows, columns, channels = last.shape
    size = rows - kernel[0] + 1, columns - kernel[1] + 1
    image, row, column, _ = last.stride()
    seen = last.as_strided((images, *size, kernel[0], kernel[1] * channels), (image, row, column, row, 1))
    return seen.reshape(images, math.prod(size), -1)


def _sum_columns(columns: Tensor, kernel: torch.Size, x: Tensor) -> None:
    """Fill x [n, channels, H, W] with the sums of what `_columns` would take from each place."""
    size = [across - taps + 1 for across, taps in zip(x.shape[2:], kernel)]
    columns = columns.view(len(x), *size, *kernel, -1)
    last = x.new_zeros(len(x), *x.shape[2:], x.shape[1])
    for i, j in np.ndindex(*kernel):
        last[:, i : i + size[0], j : j + size[1]] += columns[:, :, :, i, j]
    x.copy_(last.permute(0, 3, 1, 2))
