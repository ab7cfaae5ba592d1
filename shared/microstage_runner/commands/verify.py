"""`make verify`: hash the selected artefacts again, and print what each stage proved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from microstage.errors import IntegrityError, VerificationError
from microstage.process.text_table import table
from microstage_runner.artefacts.artefact import Artefact
from microstage_runner.artefacts.store import Store
from microstage_runner.pipeline.lineage import descendants
from microstage_runner.pipeline.step import PublishedStep
from microstage_runner.session import Session

__all__ = ["command"]


def command(session: Session) -> None:
    """Print the integers compared at each boundary, and who signed the artefacts."""
    steps = session.published()
    signed = session.store.keys.verified(step.artefact for step in steps)
    print(f"{_verify(steps, session)}\n{signed}")


def _verify(steps: Sequence[PublishedStep], session: Session) -> str:
    """Return each boundary of each stage; raise when a file is not as it was published, or a stage compared nothing."""
    lines, proved, bad = [], 0, []
    for step in steps:
        try:
            step.artefact.checked()
        except IntegrityError as error:
            bad.append((step.artefact, str(error)))
            continue
        lines.append(f"{step.stage.name}: {len(step.artefact.files)} files as published")
        proofs = step.artefact.about["verification"]
        proved += len(proofs)
        lines += _proofs(step.stage.name, proofs)
    if bad:
        built_on = _built_on([artefact for artefact, _ in bad], session.store)
        raise IntegrityError(" ".join([*(said for _, said in bad), *built_on]))
    if not proved:
        raise VerificationError(f"No stage of this selection has compared an integer yet; `make {session.usual}` does.")
    return "\n".join(lines)


def _proofs(stage: str, proofs: Sequence[Mapping[str, Any]]) -> list[str]:
    for proof in proofs:
        if proof["compared"] == 0 or proof["equal"] + proof["explained_ties"] != proof["compared"]:
            raise VerificationError(f"{stage} did not prove {proof['boundary']}.")
    rows = [[p["boundary"], f"{p['compared']:,}", f"{p['equal']:,}", f"{p['explained_ties']:,}"] for p in proofs]
    head = ["  boundary", "compared", "equal", "explained ties"]
    return table(head, [["  " + r[0], *r[1:]] for r in rows]) if rows else []


def _built_on(bad: Sequence[Artefact], store: Store) -> list[str]:
    """Return a sentence on every artefact of the volume that was made from one of `bad`, whenever that was."""
    found = [str(artefact.path) for artefact in descendants(bad, store) if artefact not in bad]
    what = "Made from it, before it was changed or after, and to be removed and made again too"
    return [f"{what}: {', '.join(found)}."] if found else []
