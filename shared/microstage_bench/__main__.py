"""`python -m microstage_bench SUBJECTS.json --against onnxruntime,litert,tflm`: agreement, then times;
SUBJECTS.json as `subject` says.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from microstage.errors import ParameterError
from microstage.process.ending import ended
from microstage_bench import compare, measuring, memory, report, tables
from microstage_bench import host as machine
from microstage_bench.aims import published
from microstage_bench.compare import ComparedRuntime
from microstage_bench.generated import VARIANTS
from microstage_bench.names import RIVALS
from microstage_bench.report import Measured
from microstage_bench.subject import Subject, read_subjects
from microstage_bench.tflite_file import ends_of_tflite

__all__ = ["bench", "main", "memory_rows"]


def main(words: Sequence[str]) -> int:
    options = _options(words)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        print("\n".join(machine.describe(measuring.core())))
        for variant in VARIANTS:
            print(f"{variant.name}: {' '.join(variant.flags)}")
        peak = machine.peak(scratch)
        found = [
            bench(subject, options.against, options.rounds, peak, scratch)
            for subject in read_subjects(options.subjects, scratch)
        ]
        print("\n" + report.summary(found), flush=True)
    return 0


def bench(subject: Subject, against: Sequence[str], rounds: int, peak: machine.Peak | None, scratch: Path) -> Measured:
    """Compare one network, time it, and print both."""
    (macs, weights), file = subject.size, subject.tflite.read_bytes() if subject.tflite else b""
    network = published(file) if file and ends_of_tflite(file) else ""
    title = f"{subject.name} ({network})" if network else subject.name
    counted = "an unknown number of" if macs is None else f"{macs:,}"
    print(f"\n{title}: {counted} multiply-accumulates, {weights:,} weights", flush=True)
    own = compare.ours(subject, scratch)
    rivals = compare.rivals(subject, against)
    others = {**compare.interpreted(subject, own, scratch), **compare.earlier(subject, scratch), **rivals}
    code, constants = memory.sections(subject.c, scratch)
    arena = next(iter(own.values())).runtime.arena_bytes
    timings = _race({**own, **others}, macs, peak, rounds)
    measured = Measured(title, network or subject.name.split()[0], timings, list(own), constants, arena, len(file))
    print(report.ratios(measured))
    print(tables.table(memory.HEADER, memory_rows(subject, rivals, memory.row_of_c(code, constants, arena))))
    if file:
        print(report.constants(measured))
    sys.stdout.flush()
    return measured


def _race(
    contestants: Mapping[str, ComparedRuntime], macs: int | None, peak: machine.Peak | None, rounds: int
) -> dict[str, measuring.Timing]:
    calls = {label: contestant.runtime.call for label, contestant in contestants.items()}
    timings = measuring.interleaved(calls | ({peak.name: peak.call} if peak else {}), rounds)
    limit = peak.macs / timings.pop(peak.name).median / 1000 if peak else 0.0
    print(report.times(timings, contestants, macs, limit))
    print(f"peak in these rounds: {limit:.0f} GMAC/s ({peak.name})" if peak else "peak: no loop for this processor")
    return timings


def memory_rows(subject: Subject, rivals: Collection[str], ours: list[str]) -> list[list[str]]:
    """Return a row per runtime that ran: what its flash holds of this network, and the working memory that is known."""
    rows = [["weights and biases alone", f"{memory.constants_alone(subject.network):,}", ""]] if subject.network else []
    rows.append(ours)
    rows += [memory.row_of_tflite(subject.tflite)] if "tflm" in rivals and subject.tflite else []
    return [*rows, *([memory.row_of_onnx(subject.onnx)] if "onnxruntime" in rivals and subject.onnx else [])]


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m microstage_bench")
    parser.add_argument("subjects", type=Path)
    parser.add_argument("--against", type=lambda text: text.split(","), default=list(RIVALS))
    parser.add_argument("--rounds", type=int, default=31)
    options = parser.parse_args(words)
    unknown = [name for name in options.against if name not in RIVALS]
    if unknown:
        raise ParameterError(f"{unknown[0]} is no rival: expected {', '.join(RIVALS)}.")
    return options


if __name__ == "__main__":
    raise SystemExit(ended("microstage", lambda: main(sys.argv[1:])))
