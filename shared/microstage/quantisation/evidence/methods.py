"""The methods that are compared, each by its name in the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor, nn

from microstage.quantisation.aligning import aligned
from microstage.quantisation.evidence.brevitas_flow import brevitas_flow
from microstage.quantisation.network import QuantisedNetwork, quantize
from microstage.quantisation.post_training import post_training
from microstage.quantisation.preparing import PreparedNetwork
from microstage.quantisation.targets import Target

__all__ = ["METHODS", "REFERENCE", "QuantisationSubject"]


@dataclass(frozen=True)
class QuantisationSubject:
    """A trained float network, what it was prepared to, and representative batches."""

    floats: nn.Module
    prepared: PreparedNetwork
    batches: Sequence[Tensor]

    def brevitas(self, per_channel: bool) -> nn.Module:
        return brevitas_flow(self.floats, self.prepared.example, self.batches, per_channel)

    def calibrated(self, target: Target, method: str) -> QuantisedNetwork:
        return quantize(self.prepared, target).calibrate(self.batches, method)

    def corrected(self, target: Target, method: str) -> QuantisedNetwork:
        return self.calibrated(target, method).correct_bias(self.batches)

    def with_ranges(self, target: Target) -> QuantisedNetwork:
        prepared = aligned(self.prepared, target, self.batches)
        return quantize(prepared, target).calibrate(self.batches).correct_bias(self.batches)

    def complete(self, target: Target) -> nn.Module:
        return post_training(self.prepared, target, self.batches)


Quantiser = Callable[[QuantisationSubject], nn.Module]
_SHIFTING = Target.load("diana-digital")
_PER_TENSOR = replace(_SHIFTING, weights=replace(_SHIFTING.weights, per="tensor"))
_FLOORING = replace(_SHIFTING, rounding="floor")
_COMPAT = Target.load("diana-compat")
_REAL = Target.load("finn")

REFERENCE = "brevitas, per channel"
METHODS: Mapping[str, Quantiser] = {
    REFERENCE: partial(QuantisationSubject.brevitas, per_channel=True),
    "brevitas, per tensor": partial(QuantisationSubject.brevitas, per_channel=False),
    "real scales": partial(QuantisationSubject.corrected, target=_REAL, method="mse"),
    "real scales, AdaRound": partial(QuantisationSubject.complete, target=_REAL),
    "power of two, max": partial(QuantisationSubject.corrected, target=_SHIFTING, method="max"),
    "power of two, percentile": partial(QuantisationSubject.corrected, target=_SHIFTING, method="percentile"),
    "power of two, mse": partial(QuantisationSubject.corrected, target=_SHIFTING, method="mse"),
    "power of two, mse, biases as they are": partial(QuantisationSubject.calibrated, target=_SHIFTING, method="mse"),
    "power of two, ranges to suit": partial(QuantisationSubject.with_ranges, target=_SHIFTING),
    "power of two, ranges to suit, AdaRound": partial(QuantisationSubject.complete, target=_SHIFTING),
    "power of two, per tensor": partial(QuantisationSubject.corrected, target=_PER_TENSOR, method="mse"),
    "power of two, per tensor, ranges to suit, AdaRound": partial(QuantisationSubject.complete, target=_PER_TENSOR),
    "power of two, floor": partial(QuantisationSubject.corrected, target=_FLOORING, method="mse"),
    "diana-compat": partial(QuantisationSubject.complete, target=_COMPAT),
}
