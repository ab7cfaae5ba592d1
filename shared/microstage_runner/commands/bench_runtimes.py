"""`make bench MODEL=... AGAINST=onnxruntime,litert,tflm`: the C that the stages wrote beside other runtimes, in their own environment."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from microstage_bench.names import NETWORKS, RIVALS
from microstage_runner.cli import split_words
from microstage_runner.commands.measured import Asked, benchmarks, environment, listed, number, steps_of, write_subjects

__all__ = ["main"]


def main(words: Sequence[str]) -> int:
    """Exit code of the benchmark that NAME=VALUE `words` ask for."""
    typed = split_words(words)
    asked, against = Asked.read("bench", typed, NETWORKS), listed(typed, "AGAINST", RIVALS)
    rounds = number(typed, "ROUNDS", 31)
    with tempfile.TemporaryDirectory(prefix="microstage-bench.") as scratch:
        subjects = write_subjects(steps_of(asked, "cbackend", Path(scratch)), Path(scratch))
        options = ["--against", ",".join(against), "--rounds", str(rounds)]
        return benchmarks(
            environment(asked[0].session({})),
            "",
            str(subjects),
            *options,
            **({"CC": typed["CC"]} if "CC" in typed else {}),
        )
