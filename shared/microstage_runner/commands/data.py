"""`make data DATASET=`: download a dataset."""

from __future__ import annotations

from pathlib import Path

from microstage.datasets import download
from microstage.datasets.locations import DOWNLOADED
from microstage_runner.commands.planned import Planned
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.declarations.model_parameters import trained_on
from microstage_runner.declarations.spelling import declared_name
from microstage_runner.session import Session

__all__ = ["command", "planned"]


def planned(typed: dict[str, str], repository: Path) -> list[Planned]:
    """Return no run: a dataset is downloaded."""
    download.require(_session(typed, repository).typed.get("DATASET", ""))
    return []


def command(typed: dict[str, str], repository: Path) -> None:
    """Download DATASET= to where every stage looks for it, whatever the network."""
    session = _session(typed, repository)
    download.fetch(session.typed.get("DATASET", ""), session.volumes / ".data")


def _session(typed: dict[str, str], repository: Path) -> Session:
    """Return the selection of a network that is trained on DATASET=, which is checked with it."""
    dataset = declared_name(typed.get("DATASET", ""), DOWNLOADED, "DATASET")
    chosen = {**typed, "DATASET": dataset, "MODEL": trained_on(load_stages(repository), dataset)}
    return Session.of("data", repository, {name: value for name, value in chosen.items() if value})
