"""`make reproduce-table TABLE=bnn-pynq`: run the command beside a table of README, and print both figures of each."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from microstage.errors import ParameterError, StageFailed
from microstage_runner.commands import accuracy, sweep
from microstage_runner.commands.planned import Planned
from microstage_runner.process import load
from microstage_runner.readme.markdown import Cells, beside, differing, read
from microstage_runner.readme.tables import TABLES, ReadmeTable, of_accuracy, of_sweep
from microstage_runner.session import Session

__all__ = ["command", "planned"]

_BENCH = "commands.bench"  # loads the benchmark's own modules


def planned(typed: dict[str, str], repository: Path) -> list[Planned | str]:
    """Return the runs that the table's command makes."""
    table, words = _chosen(typed)
    if table.command == "accuracy":
        return [*accuracy.planned(Session.of("accuracy", repository, words))]
    return [*(sweep if table.command == "sweep" else load(_BENCH)).planned(words, repository)]


def command(typed: dict[str, str], repository: Path) -> int:
    """Print the table in Markdown with README's figures in brackets; return 1 if one differs."""
    table, words = _chosen(typed)
    print(f"make {table.command} {' '.join(f'{name}={value}' for name, value in words.items())}", flush=True)
    there = read((repository / "README.md").read_text(), table.columns)
    measured = _measured(table, words, repository)
    found = differing(measured, there, table.tolerance)
    print(f"\n{beside(measured, there)}\n")
    print("\n".join([*(f"differs: {line}" for line in found)] or ["every figure is README's"]))
    return 1 if found else 0


def _chosen(typed: Mapping[str, str]) -> tuple[ReadmeTable, dict[str, str]]:
    """Return the table TABLE= and what is typed for its command."""
    name = typed.get("TABLE", "")
    if name not in TABLES:
        raise ParameterError(f"TABLE={name} is not allowed: expected one of {', '.join(TABLES)}.")
    table = TABLES[name]
    dataset = table.variables.get("DATASET")
    if dataset and "DATA_DIR" not in typed:
        raise ParameterError(f"TABLE={name} needs DATA_DIR=, the folder of {dataset}.")
    own = {key: value for key, value in typed.items() if key != "TABLE"}
    return table, {**table.variables, **own}


def _measured(table: ReadmeTable, words: dict[str, str], repository: Path) -> Cells:
    if table.command == "sweep":
        found = sweep.swept(words, repository)
        return of_sweep({outcome.point.values["MODEL"]: outcome.figures for outcome in found})
    if table.command == "accuracy":
        return of_accuracy(accuracy.pooled_over_folds(Session.of("accuracy", repository, words)))
    program = [sys.executable, "-m", "microstage_runner", table.command]
    done = subprocess.run([*program, *(f"{name}={value}" for name, value in words.items())], stdout=subprocess.PIPE)
    if done.returncode:
        raise StageFailed(f"`make {table.command}` failed; its own message is above.", done.returncode)
    return read(done.stdout.decode(), table.columns)
