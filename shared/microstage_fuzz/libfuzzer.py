"""One target under libFuzzer for some seconds: begun again where an input ends the process, and what was reached."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["MEMORY_MIB", "SECONDS", "Reached", "fuzz"]

SECONDS, MEMORY_MIB = 30, 3072
"What an input may take: a fuzzed program is many times as slow as it is, and this machine may be busy."
_REACHED = re.compile(r"^#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+)", re.MULTILINE)
_SLOWEST = re.compile(r"^stat::slowest_unit_time_sec:\s+(\d+)", re.MULTILINE)
_LEAST = 3  # seconds that are worth another start
_MOST_STARTS = 20


@dataclass
class Reached:
    """`covered` are edges of the code that were reached, `features` these with how often and in which order."""

    inputs: int = 0
    covered: int = 0
    features: int = 0
    slowest: float = 0.0
    crashes: list[Path] = field(default_factory=list)
    failed: str = ""

    def add(self, said: str) -> None:
        """Take in what a process printed."""
        reached = _REACHED.findall(said)
        if reached:
            self.inputs += int(reached[-1][0])
            self.covered = max(self.covered, *(int(covered) for _, covered, _ in reached))
            self.features = max(self.features, *(int(features) for *_, features in reached))
        self.slowest = max([self.slowest, *map(float, _SLOWEST.findall(said))])


def fuzz(
    command: Sequence[str],
    corpora: Sequence[Path],
    found: Path,
    seconds: float,
    seed: int,
    environment: Mapping[str, str] | None = None,
) -> Reached:
    """Run `command` with libFuzzer's options for `seconds`; inputs that end it are left in `found`.

    New inputs go to the first of `corpora`.
    """
    outcome, end = Reached(), time.monotonic() + seconds
    options = [f"-timeout={SECONDS}", f"-rss_limit_mb={MEMORY_MIB}", f"-artifact_prefix={found}/", "-len_control=20"]
    for start in range(_MOST_STARTS):
        left = end - time.monotonic()
        if start and left < _LEAST:
            break
        limits = [f"-max_total_time={max(1, int(left))}", f"-seed={seed + start}", "-print_final_stats=1"]
        log = found / "log.txt"
        with log.open("w") as told:
            done = subprocess.run(
                [*command, *options, *limits, *map(str, corpora)],
                env=environment,
                cwd=found,
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=subprocess.STDOUT,
            )
        said = log.read_text(errors="replace")
        outcome.add(said)
        if not done.returncode:
            break
        (found / f"ended-{start}.log").write_text(said[-20000:])
        if not _left(found):
            outcome.failed = said.strip()[-2000:]
            break
    outcome.crashes = _left(found)
    return outcome


def _left(found: Path) -> list[Path]:
    """Return the inputs that a fault was found with, ours and libFuzzer's own."""
    kinds = ("fault-", "crash-", "timeout-", "oom-", "leak-")
    return sorted(path for path in found.iterdir() if path.name.startswith(kinds) and path.suffix != ".txt")
