"""The tables that can be made anew: the columns by which README's is found, the command beside it, and its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from microstage_runner.readme.markdown import Cells

__all__ = ["TABLES", "ReadmeTable", "of_accuracy", "of_sweep"]

_BNN = ("tfc-1w1a", "tfc-1w2a", "tfc-2w2a", "sfc-1w1a", "sfc-1w2a", "sfc-2w2a", "lfc-1w1a")
_DRAWN = ("resnet8", "ds-cnn", "mobilenet", "autoencoder", "kws-w3a3", "cnv-binary")
_BENCH = ",".join([*(f"drawn-{name}" for name in _DRAWN), "kws-w3a3", "cnv-1w1a"])
_METHODS = {
    "quantised network": "network",
    "its float twin": "float",
    "the network without its correction": "uncorrected",
    "half-cycle DFT": "half_cycle_dft",
    "DFT of all half cycles so far": "running_dft",
    "the same, anew at a jump of 3 %": "gated_dft",
}
_AFTER = {"first half cycle": "1", "after 2": "2", "after 4": "4", "after 8": "8"}
_BEHIND = "the four behind a step"


@dataclass(frozen=True)
class ReadmeTable:
    """`command` and `variables` are those beside the table; figures within a share of README's count as the same."""

    columns: Sequence[str]
    command: str
    variables: Mapping[str, str]
    tolerance: float = 0.0


TABLES = {
    "bnn-pynq": ReadmeTable(
        [name.upper() for name in _BNN],
        "sweep",
        {"MODEL": ",".join(_BNN), "STAGE": "streamline", "DATASET": "mnist"},
    ),
    "harmonic": ReadmeTable([*_AFTER, _BEHIND], "accuracy", {"CYCLES": "0.5", "DATASET": "ev-cpw"}),
    "bench": ReadmeTable(["than onnxruntime's best", "us", "arena, bytes"], "bench", {"MODEL": _BENCH}, tolerance=0.1),
}


def of_sweep(figures: Mapping[str, Mapping[str, str]]) -> Cells:
    """Return the row of the binary networks, of {model: {figure: cell}}; a point that failed has an empty cell."""
    answers = {model: cells.get("integers' top-1", "").removesuffix(" %") for model, cells in figures.items()}
    return {"microstage": {model.upper(): cell for model, cell in answers.items()}}


def of_accuracy(found: Mapping[str, Any]) -> Cells:
    """Return the rows of the harmonic network and its rivals, of what `make accuracy` pooled."""
    return {row: _of_method(found, method) for row, method in _METHODS.items()}


def _of_method(found: Mapping[str, Any], method: str) -> dict[str, str]:
    cells = {column: _joined(found["after"][step][method]) for column, step in _AFTER.items()}
    steps = [errors[method] for errors in found["behind"].values()]
    return {**cells, _BEHIND: _joined([sum(errors) / len(steps) for errors in zip(*steps)])}


def _joined(errors: Sequence[float]) -> str:
    """Return errors by harmonic as README has them: .141/.071/.054/.049."""
    return "/".join(f"{error:.3f}".removeprefix("0") if error < 1 else f"{error:.3g}" for error in errors)
