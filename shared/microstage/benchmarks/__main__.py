"""`python -m microstage.benchmarks --models resnet8,... --against onnxruntime,litert,tflm [--ours FOLDER]`: agreement, then times.

FOLDER holds a folder of generated C per network, as stages/cbackend writes it; without it the rivals are measured alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from microstage.benchmarks import machine, measuring, memory, report, tables
from microstage.benchmarks.contest import Contestant, prepare_ours, prepare_rivals
from microstage.benchmarks.generated import VARIANTS
from microstage.benchmarks.harmonic import COMPOSED, Artefacts, prepare_harmonic_ours, prepare_harmonic_rival
from microstage.benchmarks.names import HARMONIC, NETWORKS, RIVALS
from microstage.benchmarks.twins import network_named
from microstage.errors import MicrostageError, ParameterError


def main(words: Sequence[str]) -> int:
    options = _options(words)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        print("\n".join(machine.describe(measuring.core())))
        for variant in VARIANTS if options.ours else ():
            print(f"{variant.name}: {' '.join(variant.flags)}")
        for name in options.models:
            bench = bench_harmonic if name == HARMONIC else bench_network
            bench(name, options, machine.peak(scratch), scratch)
    return 0


def bench_network(name: str, options: argparse.Namespace, peak: machine.Peak | None, scratch: Path) -> None:
    """One network of the catalogue: compare, time, print."""
    network = network_named(name)
    _title(name, network.macs, network.parameters)
    folder = options.ours / name if options.ours else scratch / "none"
    ours = prepare_ours(network, folder, scratch)
    _race(name, ours, prepare_rivals(network, options.against), network.macs, peak, options.rounds)
    print(memory.table(network, options.against, _memory_of(ours, folder, scratch), scratch), flush=True)


def bench_harmonic(name: str, options: argparse.Namespace, peak: machine.Peak | None, scratch: Path) -> None:
    """The same of the harmonic network, which onnxruntime alone has a form of."""
    if not options.harmonic:
        raise ParameterError("The harmonic network needs --harmonic QCDQ CBACKEND, two artefacts of the pipeline.")
    artefacts = Artefacts(*options.harmonic)
    definition = artefacts.definition()
    _title(f"{name}, {definition['steps']} steps", definition["multiply_accumulates"], definition["weights"])
    rivals = prepare_harmonic_rival(artefacts) if "onnxruntime" in options.against else {}
    ours = prepare_harmonic_ours(artefacts, scratch)
    _race(name, ours, rivals, definition["multiply_accumulates"], peak, options.rounds)
    rows = [*_memory_of(ours, artefacts.cbackend, scratch), memory.row_of_onnx(artefacts.qcdq / COMPOSED)]
    print(tables.table(memory.HEADER, rows), flush=True)


def _memory_of(ours: Mapping[str, Contestant], folder: Path, scratch: Path) -> list[list[str]]:
    """The row of our C, whose variants need the same memory; none where there is no C."""
    return [memory.row_of_c(folder, contestant.runtime, scratch) for contestant in list(ours.values())[:1]]


def _title(name: str, macs: int, weights: int) -> None:
    print(f"\n{name}: {macs:,} multiply-accumulates, {weights:,} weights", flush=True)


def _race(name: str, ours: Mapping[str, Contestant], rivals: Mapping[str, Contestant], macs: int, peak: machine.Peak | None, rounds: int) -> None:
    contestants = {**ours, **rivals}
    calls = {label: contestant.runtime.call for label, contestant in contestants.items()}
    timings = measuring.interleaved(calls | ({peak.name: peak.call} if peak else {}), rounds)
    limit = peak.macs / timings.pop(peak.name).median / 1000 if peak else 0.0
    print(report.times(timings, contestants, macs, limit))
    print(f"peak in these rounds: {limit:.0f} GMAC/s ({peak.name})" if peak else "peak: no loop for this processor")
    print(report.ratios(name, timings, list(ours)) or f"generated C: none given for {name}", flush=True)


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m microstage.benchmarks")
    parser.add_argument("--models", type=lambda text: text.split(","), default=list(NETWORKS))
    parser.add_argument("--against", type=lambda text: text.split(","), default=list(RIVALS))
    parser.add_argument("--ours", type=Path)
    parser.add_argument("--harmonic", type=Path, nargs=2, metavar=("QCDQ", "CBACKEND"))
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
