"""Layers with weights: convolutions and products with a matrix."""

from __future__ import annotations

from typing import Any

import brevitas.nn as qnn
import numpy as np
from torch import fx, nn

from microstage.quantisation.integers.levels import Levels
from microstage.quantisation.integers.operations import Product
from microstage.quantisation.lowering.lowered import Lowered

__all__ = ["product"]


def product(lowered: Lowered, node: fx.Node, module: nn.Module) -> None:
    """Append a Product: weights over their scales, the bias over both scales, each rounded half to even."""
    source = lowered.source(node)
    lowered.quantised(source, node)
    weight, weight_scale = _weights(module)
    scale = weight_scale * lowered.scales[source]
    bias = np.zeros(len(weight)) if module.bias is None else module.bias.detach().double().numpy() / scale
    operation = Product(
        layer=str(node.target),
        inputs=(source,),
        output=node.name,
        weight=weight,
        weight_levels=_levels(module),
        weight_scale=weight_scale,
        bias=np.rint(bias).astype(np.int64),
        scale=scale,
        zero=lowered.zero(source),
        **({} if isinstance(module, qnn.QuantLinear) else _window(module)),
    )
    lowered.append(node, operation, scale)


def _weights(module: nn.Module) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights as integers [out, ...] and their scale [out] or [1]."""
    quantised = module.quant_weight()
    scale = quantised.scale.detach().double().flatten().numpy()
    column = scale.reshape(-1, *[1] * (module.weight.ndim - 1))
    return np.rint(quantised.value.detach().double().numpy() / column).astype(np.int64), scale


def _levels(module: nn.Module) -> Levels:
    highest = 2 ** (int(module.quant_weight_bit_width()) - 1) - 1
    return Levels(1.0, 0, -highest - (not module.weight_quant.is_narrow_range), highest)


def _window(module: nn.Conv1d | nn.Conv2d) -> dict[str, Any]:
    return {
        "stride": module.stride,
        "padding": module.padding,
        "dilation": module.dilation,
        "groups": module.groups,
    }
