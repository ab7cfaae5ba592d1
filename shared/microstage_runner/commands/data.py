"""`make data DATASET=`: download a dataset."""

from __future__ import annotations

from pathlib import Path

from microstage.datasets import download
from microstage.datasets.locations import DOWNLOADED
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.declarations.model_parameters import trained_on
from microstage_runner.declarations.spelling import declared_name
from microstage_runner.session import Session

__all__ = ["command"]


def command(typed: dict[str, str], repository: Path) -> None:
    """Download DATASET= to where every stage looks for it, whatever the network."""
    dataset = declared_name(typed.get("DATASET", ""), DOWNLOADED, "DATASET")
    chosen = {**typed, "DATASET": dataset, "MODEL": trained_on(load_stages(repository), dataset)}
    session = Session.of("data", repository, {name: value for name, value in chosen.items() if value})
    download.fetch(dataset, session.volumes / ".data")
