"""AdaRound: learn for each weight whether it goes up or down (Nagel et al., 2020), one layer after another."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from brevitas.core.function_wrapper.learned_round import LearnedRoundHardSigmoid, LearnedRoundSte
from torch import Tensor

from microstage.quantisation.quantisers.scales import LayerWithWeights

__all__ = ["adaround_layer", "is_determined"]

_BATCH = 32
_RATE = 1e-2
_WARM_UP = 0.2  # of all steps, before roundings are drawn to either end
_BETAS = (20.0, 2.0)
_DETERMINED = 4  # values of a channel for each of its weights: with fewer, roundings learn the examples by heart
_PULL = 1.0  # towards either end, in units of what rounding to the nearest costs


def is_determined(layer: LayerWithWeights, wanted: Tensor) -> bool:
    """Whether `wanted` [n, C, ...] says enough of each channel to choose the roundings of all of its weights."""
    weight = layer.weight
    return wanted.numel() // len(weight) >= _DETERMINED * weight[0].numel()


def adaround_layer(
    layer: LayerWithWeights, inputs: Tensor, wanted: Tensor, rectified: bool, steps: int, generator: torch.Generator
) -> None:
    """Round the weights of `layer` so that `inputs` [n, ...] become `wanted` [n, ...] as nearly as they can.

    `rectified` says that a ReLU follows, so that what is negative is as good as zero. Afterwards each weight lies where
    it is rounded to; they stay as they were unless that is nearer to `wanted`.
    """
    reconstruction = _Reconstruction(layer, inputs, wanted, rectified)
    int_quant = layer.weight_quant.tensor_quant.int_quant
    nearest, kept = int_quant.float_to_int_impl, layer.weight.detach().clone()
    with torch.no_grad():
        before = reconstruction.error()
    learned = LearnedRoundSte(LearnedRoundHardSigmoid(), _start(layer))
    int_quant.float_to_int_impl = learned
    _learn(learned, reconstruction, float(before), steps, generator)
    learned.eval()
    with torch.no_grad():
        layer.weight.copy_(layer.quant_weight().value)
        int_quant.float_to_int_impl = nearest
        if reconstruction.error() >= before:
            layer.weight.copy_(kept)


@dataclass
class _Reconstruction:
    """How near `layer` comes to `wanted`."""

    layer: LayerWithWeights
    inputs: Tensor
    wanted: Tensor
    rectified: bool

    def error(self, chosen: Tensor | slice = slice(None)) -> Tensor:
        given = self.layer.inner_forward_impl(self.inputs[chosen], self.layer.quant_weight().value, self.layer.bias)
        wanted = self.wanted[chosen]
        return (given.relu() - wanted.relu() if self.rectified else given - wanted).square().mean()


def _start(layer: LayerWithWeights) -> Tensor:
    """Return that at which the softened rounding leaves weights what they are."""
    with torch.no_grad():
        counted = layer.weight / layer.quant_weight().scale
        rest = counted - counted.floor()
        soft = LearnedRoundHardSigmoid()
        zeta, gamma = soft.learned_round_zeta, soft.learned_round_gamma
        return -torch.log((zeta - gamma) / (rest - gamma) - 1)


def _learn(
    learned: LearnedRoundSte,
    reconstruction: _Reconstruction,
    unit: float,
    steps: int,
    generator: torch.Generator,
) -> None:
    learned.train()
    optimiser = torch.optim.Adam([learned.value], _RATE)
    for step in range(steps):
        chosen = torch.randint(len(reconstruction.inputs), (_BATCH,), generator=generator)
        loss = reconstruction.error(chosen) / max(unit, 1e-30)
        if step >= _WARM_UP * steps:
            beta = _BETAS[0] + (_BETAS[1] - _BETAS[0]) * (step / steps - _WARM_UP) / (1 - _WARM_UP)
            loss = loss + _PULL * (1 - (2 * learned.p_forward() - 1).abs().pow(beta)).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
