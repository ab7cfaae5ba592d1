"""Everything that a page says of a run: one dict, each section from what its stages published.

A section of which nothing is published is left out. docs/report.md says what each holds.
"""

from __future__ import annotations

from typing import Any

from microstage_report.facts.accuracy import accuracy
from microstage_report.facts.classes import confusion, scores
from microstage_report.facts.code import code, learning, provenance
from microstage_report.facts.device import device
from microstage_report.facts.distributions import distributions
from microstage_report.facts.graphs import graphs
from microstage_report.facts.layers import layers
from microstage_report.facts.run import PublishedRun
from microstage_report.facts.signal import signal
from microstage_report.facts.verdict import proofs, verdict

__all__ = ["facts_of"]

_MOST_ROWS = 2000


def facts_of(run: PublishedRun) -> dict[str, Any]:
    """Return the facts of a run."""
    found = {
        "title": _title(run),
        "kind": _kind(run),
        "verdict": verdict(run),
        "signal": signal(run),
        "confusion": confusion(run),
        "scores": scores(run),
        "accuracy": _table(accuracy(run)),
        "proofs": proofs(run),
        "layers": layers(run),
        "errors": _table(_errors(run)),
        "graphs": graphs(run),
        "distributions": distributions(run),
        "code": _table(code(run)),
        "device": device(run),
        "learning": _table(learning(run)),
        "provenance": {"rows": provenance(run)},
        "command": run.command,
    }
    return {name: section for name, section in found.items() if section}


def _title(run: PublishedRun) -> str:
    return run.called or run.model.get("model", "network")


def _kind(run: PublishedRun) -> str:
    if run.called:
        return "file"
    if "harmonics" in run.model:
        return "harmonic"
    return "classifier" if run.model.get("classes") else "autoencoder"


def _errors(run: PublishedRun) -> list[dict[str, Any]]:
    """Return what each layer adds to the error against floats, as `make explain` measured it."""
    shares = {layer["layer"]: layer["share"] for layer in run.explanation.get("sample", {}).get("layers", [])}
    return [layer | {"share": shares.get(layer["layer"])} for layer in run.explanation.get("layers", [])]


def _table(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the rows as a section; of very many, every so-manieth."""
    step = -(-len(rows) // _MOST_ROWS) if rows else 1
    return {"rows": rows[::step]} if rows else None
