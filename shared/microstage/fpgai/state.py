"""FPGAI's `{name}_quant.tuple`: what torch saves of (state dict, list of scale, shift and zero point of each layer)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from microstage.errors import IntegrityError
from microstage.files.atomic import replacing
from microstage.fpgai.layer import LONGEST_SHIFT, MOST, QuantisedLayer
from microstage.untrusted.weights import read_checkpoint

__all__ = ["read_tuple", "write_tuple"]

_RANGES = {"weight": (0, 255), "bias": (-(2**31), 2**31 - 1)}


def write_tuple(path: Path, layers: Mapping[str, QuantisedLayer]) -> None:
    """Write `layers`, by module path: weights uint8 and biases int32, then the numbers of all layers in one list."""
    state: OrderedDict[str, Tensor] = OrderedDict()
    for name, layer in layers.items():
        state[f"{name}.weight"], state[f"{name}.bias"] = torch.from_numpy(layer.weight), torch.from_numpy(layer.bias)
    with replacing(path) as file:
        torch.save((state, [number for layer in layers.values() for number in layer.numbers]), file)


def read_tuple(path: Path) -> dict[str, QuantisedLayer]:
    """Return the layers by module path; nothing in the file is run.

    Raise `IntegrityError` for a file that holds anything else.
    """
    state, numbers = _parts(path, read_checkpoint(path))
    names = [name.removesuffix(".weight") for name in state if name.endswith(".weight")]
    if len(numbers) != 3 * len(names) or set(state) != {f"{name}.{kind}" for name in names for kind in _RANGES}:
        raise IntegrityError(
            f"{path} has {len(names)} weights among {len(state)} tensors and {len(numbers)} numbers; expected a weight,"
            " a bias and three numbers for each layer."
        )
    return {name: _layer(path, name, state, numbers[3 * place : 3 * place + 3]) for place, name in enumerate(names)}


def _parts(path: Path, found: Any) -> tuple[Mapping[str, Tensor], list[int]]:
    whole = isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], dict) and isinstance(found[1], list)
    if not whole or not all(isinstance(value, Tensor) for value in found[0].values()):
        raise IntegrityError(f"{path} holds no tuple of a state dict and a list.")
    small = all(type(number) is int and 0 <= number <= MOST for number in found[1])
    if not small or max(found[1][1::3], default=0) > LONGEST_SHIFT:
        raise IntegrityError(
            f"{path}: the list holds something other than whole numbers from 0 to {MOST}, or a shift beyond"
            f" {LONGEST_SHIFT}."
        )
    return found


def _layer(path: Path, name: str, state: Mapping[str, Tensor], numbers: list[int]) -> QuantisedLayer:
    for kind, (lowest, highest) in _RANGES.items():
        value = state[f"{name}.{kind}"]
        if value.is_floating_point() or not value.numel() or value.min() < lowest or value.max() > highest:
            raise IntegrityError(
                f"{path}: {name}.{kind} is {value.dtype}; expected whole numbers {lowest} to {highest}."
            )
    weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
    if weight.ndim < 2 or bias.shape != weight.shape[:1]:
        raise IntegrityError(f"{path}: {name} has weights {list(weight.shape)} and biases {list(bias.shape)}.")
    return QuantisedLayer(weight.to(torch.uint8).numpy(), bias.int().numpy(), *numbers)
