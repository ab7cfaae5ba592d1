"""The best sequence of passes known here, for a network that is not trained further."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from microstage.quantisation.aligning import aligned
from microstage.quantisation.network import QuantisedNetwork, quantize
from microstage.quantisation.preparing import PreparedNetwork
from microstage.quantisation.representative import spread_examples
from microstage.quantisation.targets import AS_DIANA, Target

__all__ = ["post_training"]

_FEW = 256  # examples: enough for passes that compute the whole network for each layer


def post_training(
    prepared: PreparedNetwork, target: str | Target, batches: Sequence[Tensor], method: str | None = None
) -> QuantisedNetwork:
    """Return `prepared`, quantised for `target` by representative `batches`: some hundred examples, without labels.

    Ranges that suit the target's scales; scales by `method` or the target's own; biases; rounding of weights; biases
    again, as roundings moved them. A target that is what another tool makes has its scales alone: nothing is corrected.
    """
    target = target if isinstance(target, Target) else Target.load(target)
    quantised = quantize(aligned(prepared, target, batches), target).calibrate(batches, method)
    if quantised.target.calibration == AS_DIANA:
        return quantised
    quantised.correct_bias(batches)
    return quantised.adaround(spread_examples(batches, _FEW)).correct_bias(batches)
