"""`make ready`: train the networks that estimate-file takes by default, and put them into this checkout."""

from __future__ import annotations

from collections.abc import Iterator

from microstage.errors import ParameterError
from microstage_runner.artefacts import ready_networks
from microstage_runner.commands.planned import Planned
from microstage_runner.declarations.stages import REFERENCE, TRAINING, of_role
from microstage_runner.session import Session

__all__ = ["command", "planned"]


def planned(session: Session) -> list[Planned]:
    """Return the run of each kind of channel."""
    return [Planned(f"CHANNEL={kind}", chosen, chosen.last_of("ready")) for kind, chosen in _sessions(session)]


def command(session: Session) -> None:
    """Make a network for each kind of channel, as far as the reference of its integers, and
    copy it into the checkout.
    """
    for kind, chosen in _sessions(session):
        pipeline = chosen.pipeline(loud=True)
        *_, last = pipeline.run(of_role(session.stages, REFERENCE))
        parameters = pipeline.parameters[of_role(session.stages, TRAINING)]
        made_of = {"key": last.about["key"], "parameters": parameters}
        place = ready_networks.put(last.stage.folder, session.volumes, kind, last.artefact, made_of)
        print(f"ready: {place}")


def _sessions(session: Session) -> Iterator[tuple[str, Session]]:
    """Yield each kind of channel, with its selection."""
    if "CHANNEL" in session.typed:
        raise ParameterError("make ready makes a network for each kind of channel: leave CHANNEL= out.")
    for kind in ready_networks.KINDS:
        yield kind, Session(session.repository, {**session.typed, "CHANNEL": kind})
