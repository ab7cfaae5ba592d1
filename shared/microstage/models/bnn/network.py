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
from microstage.models.bnn.definition import BinaryDefinition
from microstage.models.bnn.dropout import masks
from microstage.models.bnn.layers import BinaryDense, Convolved, TensorNorm
from microstage.models.network import Network

__all__ = ["BinaryNetwork"]


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
        """Return what the first quantiser makes, int8, of grey levels uint8 of any shape.

        It is for pixels of one or two bits.
        """
        return torch.cat(
            [
                fused.levels(_centred(part.float()), self.definition.input_bits).to(torch.int8)
                for part in image.split(1024)
            ]
        )

    def forward(self, image: Tensor) -> Tensor:
        """Return scores [n, 10] of image [n, channels, height, width].

        The image has grey levels, or what `integers` makes of them.
        """
        d, drawn = self.definition, self._masks(len(image))
        fast = self.fast and not torch.onnx.is_in_onnx_export()
        x = self._pixels(image)
        for layer in self.convolutions:
            x = layer.pool(fused.convolved(layer, x, d.weight_bits, d.act_bits)) if fast else layer(x)
        if self.convolutions:
            x = x.flatten(1)
        if drawn:
            x = x * drawn.pop(0)
        if fast:
            return self.norm(fused.scores(self.layers, self.out, d, x, drawn))
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
        """Return the masks of what enters each fully connected layer; none where nothing is dropped."""
        d = self.definition
        if not self.training or not d.dropout:
            return []
        return masks(d.dropout, [(rows, width) for width in d.widths[:-1]])


def _centred(image: Tensor) -> Tensor:
    """Bring 0..255 to -1..1."""
    return 2.0 * (image / 255.0) - 1.0
