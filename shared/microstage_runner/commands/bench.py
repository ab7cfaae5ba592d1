"""`make bench MODEL=... AGAINST=onnxruntime,litert,tflm`: the C that the stages wrote beside other runtimes, in their
own environment.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from microstage_bench.names import NETWORKS, RIVALS
from microstage_runner.commands.asked import Asked, listed, number
from microstage_runner.commands.measured import benchmarks, environment, planned_of, steps_of, write_subjects
from microstage_runner.commands.planned import Planned

__all__ = ["command", "planned"]


def planned(typed: dict[str, str], repository: Path) -> list[Planned | str]:
    """Return the run of every network that was asked for."""
    listed(typed, "AGAINST", RIVALS)
    number(typed, "ROUNDS", 31)
    return planned_of(Asked.read(typed, NETWORKS))


def command(typed: dict[str, str], repository: Path) -> int:
    """Measure the networks that were asked for; return the exit code of the benchmark."""
    asked, against = Asked.read(typed, NETWORKS), listed(typed, "AGAINST", RIVALS)
    rounds = number(typed, "ROUNDS", 31)
    with tempfile.TemporaryDirectory(prefix="microstage-bench.") as scratch:
        subjects = write_subjects(steps_of(asked, Path(scratch)), Path(scratch))
        words = [str(subjects), "--against", ",".join(against), "--rounds", str(rounds)]
        compiler = {"CC": typed["CC"]} if "CC" in typed else {}
        return benchmarks(environment(asked[0].session({})), "", *words, **compiler)
