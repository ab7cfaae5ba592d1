"""`make footprint`: what the C that the stages wrote takes of other machines (microstage_bench.footprint), in the rivals' environment."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from microstage_bench.names import NETWORKS, WIDTHS
from microstage_runner.cli import split_words
from microstage_runner.commands.measured import Asked, benchmarks, environment, steps_of, write_subjects

__all__ = ["main"]


def main(words: Sequence[str]) -> int:
    """Exit code; where no network is named, all drawn ones and one by the width of its weights."""
    asked = Asked.read("footprint", split_words(words), [*NETWORKS, *WIDTHS.values()])
    with tempfile.TemporaryDirectory(prefix="microstage-footprint.") as scratch:
        subjects = write_subjects(steps_of(asked, "cbackend", Path(scratch)), Path(scratch))
        return benchmarks(environment(asked[0].session({})), "footprint", str(subjects))
