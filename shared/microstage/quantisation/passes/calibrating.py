"""Choose the scales of activations by what flows through the network while nothing is quantised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx, nn

from microstage.quantisation.passes.recording import plain
from microstage.quantisation.passes.spread import Spread
from microstage.quantisation.passes.switching import unquantised
from microstage.quantisation.quantisers.scales import ActivationScale, Range, activation_scales, output_quantiser

__all__ = ["CALIBRATIONS", "Calibrator"]

Ranges = dict[str, Range]
_SHARES = tuple(step / 64 for step in range(8, 65))  # of the whole range: a search tries each


class Calibrator:
    """What flows through a network on `batches`, seen once; scales are set by it in any way, as often as one likes."""

    @torch.no_grad()
    def __init__(self, network: fx.GraphModule, batches: Sequence[Tensor]) -> None:
        self._output, self._scales = output_quantiser(network), activation_scales(network)
        with unquantised(network):
            self._spreads = _spreads(network, self._scales, batches)

    @torch.no_grad()
    def set_scales(self, method: str) -> None:
        """Set every activation's scale by `method`, one of `CALIBRATIONS`.

        A search has no say in the output's, which keeps its whole range: what is cut off there, nothing mends.
        """
        for scale in self._scales:
            chosen = "max" if method == "mse" and self._output in scale.quantisers else method
            CALIBRATIONS[chosen](scale, {name: self._spreads[name] for name in scale.quantisers})


def _spreads(network: nn.Module, scales: Sequence[ActivationScale], batches: Sequence[Tensor]) -> dict[str, Spread]:
    spreads = {name: Spread() for scale in scales for name in scale.quantisers}
    for gathered in (Spread.widen, Spread.count):
        hooks = [
            quantiser.register_forward_hook(partial(_gather, gathered, spreads[name]))
            for scale in scales
            for name, quantiser in scale.quantisers.items()
        ]
        for batch in batches:
            network(batch)
        for hook in hooks:
            hook.remove()
    return spreads


def _gather(
    gathered: Callable[[Spread, Tensor], None], spread: Spread, _module: nn.Module, _inputs: Any, output: Any
) -> None:
    gathered(spread, plain(output))


def _by(chosen: Callable[[Spread], Range]) -> Callable[[ActivationScale, dict[str, Spread]], None]:
    def choose(scale: ActivationScale, spreads: dict[str, Spread]) -> None:
        scale.set_ranges({name: chosen(spread) for name, spread in spreads.items()})

    return choose


def _least_squares(scale: ActivationScale, spreads: dict[str, Spread]) -> None:
    """Choose the share of the whole range at which rounding and clipping together have the least mean square."""
    ranges = {share: _shrunk(spreads, share) for share in _SHARES}
    errors = {share: _squared_error(scale, spreads, ranges[share]) for share in _SHARES}
    scale.set_ranges(ranges[min(_SHARES, key=lambda share: errors[share])])


def _shrunk(spreads: dict[str, Spread], share: float) -> Ranges:
    return {name: (spread.lowest * share, spread.highest * share) for name, spread in spreads.items()}


def _squared_error(scale: ActivationScale, spreads: dict[str, Spread], ranges: Ranges) -> float:
    scale.set_ranges(ranges)
    error = 0.0
    for name, quantiser in scale.quantisers.items():
        middles, counts = spreads[name].counted()
        quantised = quantiser.act_quant(middles.float()).value.double()
        error += float(((quantised - middles).square() * counts).sum())
    return error


CALIBRATIONS: dict[str, Callable[[ActivationScale, dict[str, Spread]], None]] = {
    "max": _by(Spread.whole),
    "percentile": _by(Spread.percentile),
    "mse": _least_squares,
    "three-sigma": _by(Spread.three_sigma),
}
