"""What a notebook shows of an artefact."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from microstage_runner.artefacts.artefact import Artefact

__all__ = ["as_html"]

_MOST = 12


def as_html(artefact: Artefact) -> str:
    """Return the stage, its parameters, what was proven and what was written, as tables."""
    proofs = artefact.about["verification"]
    compared, equal, ties = (sum(proof[name] for proof in proofs) for name in ("compared", "equal", "explained_ties"))
    said = f"{equal:,} of {compared:,} integers equal, {ties:,} explained ties" if proofs else "nothing was compared"
    numbers = {name: value for name, value in artefact.metrics.items() if isinstance(value, int | float | str)}
    return "".join(
        [
            f"<h4>{escape(artefact.stage)} <code>{escape(artefact.key)}</code></h4><p>{said}</p>",
            _table("parameters", artefact.parameters.items()),
            _table("metrics", numbers.items()),
            f"<details><summary>{len(artefact.files)} files in <code>{escape(str(artefact.path))}</code></summary>",
            f"<p>{', '.join(map(escape, sorted(artefact.files)))}</p></details>",
        ]
    )


def _table(title: str, rows: Iterable[Sequence[object]]) -> str:
    """Return a table of the first rows; the others are folded away."""
    cells = [f"<tr><th>{escape(str(name))}</th><td>{escape(str(value))}</td></tr>" for name, value in rows]
    if not cells:
        return ""
    more = f"<details><summary>{len(cells) - _MOST} more</summary><table>{''.join(cells[_MOST:])}</table></details>"
    return f"<table><caption>{title}</caption>{''.join(cells[:_MOST])}</table>{more if len(cells) > _MOST else ''}"
