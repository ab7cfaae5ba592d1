"""The layers of a network in integers, for a target whose layers are one multiplier and one shift each."""

from __future__ import annotations

import numpy as np

from microstage.errors import ModelError
from microstage.fpgai.layer import QuantisedLayer
from microstage.quantisation.integers.integer_program import IntegerProgram
from microstage.quantisation.integers.operations import Product, Requantise
from microstage.quantisation.targets import Target

__all__ = ["has_such_layers", "layers_of"]

_ZERO_POINT = 128  # weights of int8 count from here as uint8


def has_such_layers(target: Target) -> bool:
    """Whether all that a layer of `target` does to its sums is one multiplier of a byte, and one shift."""
    weights, activations = target.weights, target.activations
    whole = weights.scale in ("byte", "power-of-two") and activations.scale == "power-of-two"
    return whole and weights.per == "tensor" and target.rounding == "half-up"


def layers_of(network: IntegerProgram) -> dict[str, QuantisedLayer]:
    """Return each layer with weights by its module path, in the order in which data flows.

    Raise `ModelError` for one whose sums are multiplied by more than a byte, or not shifted.
    """
    readers = {name: one for one in network.operations if isinstance(one, Requantise) for name in one.inputs}
    products = [one for one in network.operations if isinstance(one, Product)]
    return {product.layer: _layer(product, readers[product.output]) for product in products}


def _layer(product: Product, reader: Requantise) -> QuantisedLayer:
    (factor,) = reader.factors
    shift = factor.denominator.bit_length() - 1
    if factor.numerator > 255 or factor.denominator != 1 << shift or product.zero:
        raise ModelError(f"Layer {product.layer}: its factor {factor} is no byte over a power of two.")
    weight, bias = (product.weight + _ZERO_POINT).astype(np.uint8), product.bias.astype(np.int32)
    return QuantisedLayer(weight, bias, factor.numerator, shift, _ZERO_POINT)
