"""`make sign SIGNING_KEY=`: vouch for what is published already."""

from __future__ import annotations

from microstage.errors import ParameterError
from microstage_runner.commands.planned import Planned
from microstage_runner.session import Session

__all__ = ["command", "planned"]


def planned(session: Session) -> list[Planned]:
    """Return no run: what is published is signed."""
    _require_key(session)
    return []


def command(session: Session) -> None:
    """Hash the selected artefacts again, then sign each."""
    _require_key(session)
    for step in session.published():
        session.store.sign(step.artefact)
        print(f"{step.stage.name}: {len(step.artefact.files)} files as published, signed: {step.artefact.path}")


def _require_key(session: Session) -> None:
    if not session.store.keys.signing:
        raise ParameterError("SIGNING_KEY= is missing: `openssl genpkey -algorithm ed25519 -out key.pem` makes a key.")
