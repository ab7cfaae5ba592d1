"""What has to hold before anything is timed: every runtime computes the network that the reference computes.

Layers are compared one by one, each fed the reference's integers, because differences of one level grow through a deep network.
TFLite Micro and generated C must match their reference to the bit; onnxruntime and LiteRT requantise in float32 and may be one level off.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from microstage.benchmarks.network import Flatten, Layer, Network
from microstage.benchmarks.reference import run
from microstage.benchmarks.runtimes import Runtime
from microstage.errors import VerificationError

__all__ = ["Agreement", "Rival", "check_layers", "check_whole", "compare_whole", "distance", "outputs"]


@dataclass(frozen=True)
class Rival:
    """A runtime by name: how it loads a network, which rounding it is compared with, how many levels a layer may be off."""

    name: str
    load: Callable[[Network], Runtime]
    rounding: str = "half_even"
    levels: int = 1


@dataclass(frozen=True)
class Agreement:
    """Values compared, how many differ, and by how many levels at most."""

    compared: int
    different: int
    largest: int

    def __str__(self) -> str:
        if not self.different:
            return f"all {self.compared:,} equal"
        return f"{self.different:,} of {self.compared:,} differ ({self.different / self.compared:.2%}), by at most {self.largest}"


def check_layers(rival: Rival, network: Network, inputs: Mapping[str, np.ndarray]) -> Agreement:
    """Each layer alone; `VerificationError` names the first that is more than `rival.levels` off."""
    values = run(network, inputs, rival.rounding)
    found = [_check_layer(rival, network, layer, values) for layer in network.layers if not isinstance(layer, Flatten)]
    return _total(found)


def compare_whole(rival: Rival, runtime: Runtime, network: Network, inputs: Mapping[str, np.ndarray]) -> Agreement:
    """The whole network's outputs: reported, for differences add up; `VerificationError` if a second pass over `inputs` answers otherwise."""
    found, again = outputs(runtime, inputs), outputs(runtime, inputs)
    if not np.array_equal(found, again):
        raise VerificationError(f"{rival.name} answers differently when {network.name} is run again on the same inputs.")
    return distance(found, run(network, inputs, rival.rounding)[network.output])


def check_whole(name: str, runtime: Runtime, network: Network, inputs: Mapping[str, np.ndarray]) -> Agreement:
    """Generated C has to give the reference's integers, all of them."""
    agreement = distance(outputs(runtime, inputs), run(network, inputs)[network.output])
    if agreement.different:
        raise VerificationError(f"Our {name} of {network.name} is not the reference: {agreement}.")
    return agreement


def _check_layer(rival: Rival, network: Network, layer: Layer, values: Mapping[str, np.ndarray]) -> Agreement:
    alone = network.alone(layer)
    agreement = distance(outputs(rival.load(alone), {name: values[name] for name in alone.inputs}), values[layer.name])
    if agreement.largest > rival.levels:
        raise VerificationError(f"{rival.name} computes another {layer.name} of {network.name}: {agreement} levels, allowed {rival.levels}.")
    return agreement


def outputs(runtime: Runtime, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """One inference per row."""
    found = []
    for row in range(len(next(iter(inputs.values())))):
        runtime.put({name: value[row : row + 1] for name, value in inputs.items()})
        runtime.call()
        found.append(runtime.get().copy())
    return np.concatenate(found)


def distance(found: np.ndarray, expected: np.ndarray) -> Agreement:
    """Two arrays of integers of one size."""
    levels = np.abs(found.astype(np.int64).reshape(expected.shape) - expected)
    return Agreement(levels.size, int(np.count_nonzero(levels)), int(levels.max()))


def _total(parts: list[Agreement]) -> Agreement:
    if not parts:
        raise VerificationError("There is no layer to compare.")
    return Agreement(sum(p.compared for p in parts), sum(p.different for p in parts), max(p.largest for p in parts))
