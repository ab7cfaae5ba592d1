"""The binary networks: an image in, a score per class out.

    image  [n, channels, height, width]  grey levels 0..255, which x / 255 and 2 x - 1 bring to [-1, 1]
    pixels                               their integers
    scores [n, 10]                       one scale for all classes; the largest is the answer, the first of equal ones

Layers are brevitas' own, so that weights, names and export are; training runs them fused (`fused.py`). Dropout falls on
what enters each fully connected one.
"""

from __future__ import annotations

import brevitas.nn as qnn
import torch
from torch import Tensor, nn

from microstage.models.bnn import fused, quantisers
from microstage.models.bnn.definition import BinaryDefinition, Convolution
from microstage.models.bnn.dropout import masks
from microstage.models.network import Network

__all__ = ["BinaryNetwork", "TensorNorm"]

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

    def fused(self, x: Tensor, d: BinaryDefinition) -> Tensor:
        return self.pool(fused.convolved(self, x, d.weight_bits, d.act_bits))


class BinaryNetwork(Network):
    """The network; `fast` chooses the fused layers for training and evaluation, the same values and gradients."""

    def __init__(self, definition: BinaryDefinition, fast: bool = True) -> None:
        super().__init__()
        d = self.definition = definition
        self.fast = fast
        self.pixels = qnn.QuantIdentity(act_quant=quantisers.pixels(d.input_bits))
        self.convolutions = nn.ModuleList(Convolved(d, c) for c in d.convolutions)
        *hidden, (last, classes) = zip(d.widths, d.widths[1:])
        self.layers = nn.ModuleList(BinaryDense(d, *widths) for widths in hidden)
        self.out = qnn.QuantLinear(last, classes, bias=False, weight_quant=quantisers.weight(d.weight_bits))
        self.norm = TensorNorm()
        self.products = [m for m in self.modules() if isinstance(m, (qnn.QuantLinear, qnn.QuantConv2d))]
        for module in self.products:
            nn.init.uniform_(module.weight, -1, 1)

    @torch.no_grad()
    def clip_weights(self) -> None:
        """Hold every weight in [-1, 1]: beyond it a sign would take long to turn."""
        for module in self.products:
            module.weight.clamp_(-1, 1)

    def integers(self, image: Tensor) -> Tensor:
        """What the first quantiser makes, int8, of grey levels uint8 of any shape, for pixels of one or two bits."""
        return torch.cat(
            [
                fused.levels(_centred(part.float()), self.definition.input_bits).to(torch.int8)
                for part in image.split(1024)
            ]
        )

    def forward(self, image: Tensor) -> Tensor:
        """image [n, channels, height, width] of grey levels, or what `integers` makes of them -> scores [n, 10]."""
        drawn, fast = self._masks(len(image)), self.fast and not torch.onnx.is_in_onnx_export()
        x = self._pixels(image)
        for layer in self.convolutions:
            x = layer.fused(x, self.definition) if fast else layer(x)
        if self.convolutions:
            x = x.flatten(1)
        if drawn:
            x = x * drawn.pop(0)
        if fast:
            return self.norm(fused.scores(self, x, drawn))
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if drawn:
                x = x * drawn[index]
        return self.norm(self.out(x))

    def _pixels(self, image: Tensor) -> Tensor:
        image = image if self.convolutions else image.flatten(1)
        if image.dtype == torch.int8:
            return image.float()
        return self.pixels(_centred(image.float() if image.dtype == torch.uint8 else image))

    def _masks(self, rows: int) -> list[Tensor]:
        """Of what enters each fully connected layer; none where nothing is dropped."""
        d = self.definition
        if not self.training or not d.dropout:
            return []
        return masks(d.dropout, [(rows, width) for width in d.widths[:-1]])


def _centred(image: Tensor) -> Tensor:
    """0..255 to -1..1."""
    return 2.0 * (image / 255.0) - 1.0
