"""The verdict, and the figures that a reader asks for first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from microstage_report.page.digits import number

__all__ = ["verdict"]

_STATES = {
    "proven": ("good", "Proven"),
    "proven with ties": ("good", "Proven, with ties"),
    "partly real": ("fair", "Partly real"),
    "differs": ("bad", "Differs"),
}
_MOST_TILES = 6


def verdict(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state in words and as a class, and up to six tiles: (figure, unit, what it is)."""
    told = facts.get("verdict") or {}
    state = told.get("state", "")
    look, word = _STATES.get(state, ("fair", state))
    return {"sentence": "", "notes": [], **told, "look": look, "word": word, "tiles": [*_tiles(facts)][:_MOST_TILES]}


def _tiles(facts: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    proofs = [proof for proof in facts.get("proofs") or [] if proof.get("compared")]
    if proofs:
        equal = sum(proof.get("equal") or 0 for proof in proofs)
        yield number(equal), "", f"integers equal over {len(proofs)} {'stage' if len(proofs) == 1 else 'stages'}"
    ours = [row for row in (facts.get("accuracy") or {}).get("rows", []) if row.get("ours")]
    for row in ours[:1]:
        yield number(row.get("value")), row.get("unit") or "", f"{row.get('figure')}, {row.get('what')}"
    for row in (facts.get("code") or {}).get("rows", [])[:4]:
        yield number(row.get("value")), row.get("unit") or "", row.get("what") or ""
