"""Who is measured on one network: every runtime that has been seen to compute it, with what was seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from microstage.benchmarks.agreement import Agreement, Rival, check_layers, check_whole, compare_whole
from microstage.benchmarks.generated import VARIANTS, Generated
from microstage.benchmarks.names import MLPERF_TINY
from microstage.benchmarks.network import Network
from microstage.benchmarks.onnx_twin import FORMS
from microstage.benchmarks.runtimes import LiteRt, OnnxRuntime, Runtime, TfLiteMicro
from microstage.benchmarks.twins import inputs_of

__all__ = ["Contestant", "ours_of", "prepare_ours", "prepare_rivals", "rivals_of"]

_COMPARED = 8


@dataclass(frozen=True)
class Contestant:
    """A loaded runtime; `layers` (None: not looked at one by one) and `whole` say how far it agrees with the reference."""

    runtime: Runtime
    layers: Agreement | None
    whole: Agreement


def rivals_of(network: Network, against: Sequence[str]) -> list[Rival]:
    """The rivals that have a form of `network`; onnxruntime in every form that could be its best."""
    found = []
    if "onnxruntime" in against:
        forms = FORMS[:2] if network.name in MLPERF_TINY else FORMS
        found += [Rival(f"onnxruntime {form}", lambda part, form=form: OnnxRuntime(part, form)) for form in forms]
    if network.name in MLPERF_TINY:
        found += [Rival("litert", LiteRt)] * ("litert" in against)
        found += [Rival("tflm", TfLiteMicro, "tflite", 0)] * ("tflm" in against)
    return found


def prepare_rivals(network: Network, against: Sequence[str]) -> dict[str, Contestant]:
    """Loaded and compared, by name; `VerificationError` for one that computes another network."""
    inputs, found = inputs_of(network, _COMPARED, seed=1), {}
    for rival in rivals_of(network, against):
        layers, runtime = check_layers(rival, network, inputs), rival.load(network)
        found[rival.name] = Contestant(runtime, layers, compare_whole(rival, runtime, network, inputs))
    return found


def prepare_ours(network: Network, folder: Path, scratch: Path) -> dict[str, Contestant]:
    """The C in `folder` in every variant, each equal to the reference to the bit."""
    inputs, runtimes = inputs_of(network, _COMPARED, seed=1), ours_of(folder, scratch)
    return {name: Contestant(runtime, None, check_whole(name, runtime, network, inputs)) for name, runtime in runtimes.items()}


def ours_of(folder: Path, scratch: Path) -> dict[str, Generated]:
    """The C in `folder`, compiled in every variant that it has; none where there is no such folder."""
    chosen = [variant for variant in VARIANTS if (folder / variant.needs).exists()]
    return {variant.name: Generated(folder, variant, scratch) for variant in chosen}
