"""`python -m microstage.benchmarks --models resnet8,... --against onnxruntime,litert,tflm [--ours FOLDER]`: agreement, then times.

FOLDER holds a folder of generated C per network, as stages/cbackend writes it; without it the rivals are measured alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from microstage.benchmarks import machine, measuring, memory, report
from microstage.benchmarks.agreement import Rival, check_layers, check_whole, compare_whole
from microstage.benchmarks.generated import VARIANTS, Generated
from microstage.benchmarks.names import MLPERF_TINY, NETWORKS, RIVALS
from microstage.benchmarks.network import Network
from microstage.benchmarks.onnx_twin import FORMS
from microstage.benchmarks.runtimes import LiteRt, OnnxRuntime, TfLiteMicro
from microstage.benchmarks.twins import inputs_of, network_named
from microstage.errors import MicrostageError, ParameterError

_COMPARED = 8


def main(words: Sequence[str]) -> int:
    options = _options(words)
    core = measuring.pin()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        peaks = machine.peaks(scratch)
        print("\n".join(machine.describe(core)))
        print("peak: " + (", ".join(f"{name} {rate:.0f} GMAC/s" for name, rate in peaks.items()) or "not measured on this machine"))
        for variant in VARIANTS if options.ours else ():
            print(f"{variant.name}: {' '.join(variant.flags)}")
        for name in options.models:
            bench(network_named(name), options, machine.best_peak(peaks), scratch)
    return 0


def bench(network: Network, options: argparse.Namespace, peak: float, scratch: Path) -> None:
    """One network: compare, time, print."""
    inputs = inputs_of(network, _COMPARED, seed=1)
    print(f"\n{network.name}: {network.macs:,} multiply-accumulates, {network.parameters:,} weights", flush=True)
    runtimes, agreements = {}, {}
    for rival in rivals_of(network, options.against):
        layers = check_layers(rival, network, inputs)
        runtimes[rival.name] = rival.load(network)
        agreements[rival.name] = (layers, compare_whole(rival, runtimes[rival.name], network, inputs))
    ours = {}
    folder = options.ours / network.name if options.ours else None
    if folder and folder.is_dir():
        ours = {variant.name: Generated(folder, variant, scratch) for variant in VARIANTS}
    for name, runtime in ours.items():
        agreements[name] = ("", check_whole(name, runtime, network, inputs))
    timings = measuring.interleaved({name: runtime.call for name, runtime in {**ours, **runtimes}.items()}, options.rounds)
    print(report.times(timings, agreements, network.macs, peak))
    print(report.ratios(network.name, timings, list(ours)) or f"generated C: none given for {network.name}")
    print(memory.table(network, options.against, folder, next(iter(ours.values()), None), scratch), flush=True)


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


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m microstage.benchmarks")
    parser.add_argument("--models", type=lambda text: text.split(","), default=list(NETWORKS))
    parser.add_argument("--against", type=lambda text: text.split(","), default=list(RIVALS))
    parser.add_argument("--ours", type=Path)
    parser.add_argument("--rounds", type=int, default=31)
    options = parser.parse_args(words)
    unknown = [name for name in options.against if name not in RIVALS]
    if unknown:
        raise ParameterError(f"{unknown[0]} is no rival: expected {', '.join(RIVALS)}.")
    return options


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except MicrostageError as error:
        print(f"microstage: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
