"""`make data DATASET=`: download a dataset."""

from __future__ import annotations

from pathlib import Path

from microstage.datasets import download
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.declarations.model_parameters import trained_on
from microstage_runner.session import Session

__all__ = ["command"]


def command(typed: dict[str, str], repository: Path) -> None:
    """Download DATASET= to where every stage looks for it, whatever the network."""
    model = trained_on(load_stages(repository), typed.get("DATASET", ""))
    chosen = {"MODEL": model, **typed}
    session = Session.of("data", repository, {name: value for name, value in chosen.items() if value})
    download.fetch(session.typed.get("DATASET", ""), session.volumes / ".data")
