"""The chain of proofs: levels as boxes, and between two of them what was compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from microstage_report.page.tables import TableColumn, table

__all__ = ["proofs"]

_COLUMNS = (
    TableColumn("from", "from"),
    TableColumn("to", "to"),
    TableColumn("stage", "stage"),
    TableColumn("vectors", "vectors"),
    TableColumn("compared", "integers compared"),
    TableColumn("equal", "equal"),
    TableColumn("ties", "explained ties"),
    TableColumn("differing", "differing"),
    TableColumn("seconds", "seconds"),
)


def proofs(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the chain, in order: boxes {box} and links {vectors, compared, equal, ties, differing, look}."""
    rows = [{**row, "differing": _differing(row)} for row in facts["proofs"]]
    return {"chain": _chain(rows), "tables": [table("What was compared at each boundary", _COLUMNS, rows)]}


def _differing(row: Mapping[str, Any]) -> int:
    return (row.get("compared") or 0) - (row.get("equal") or 0) - (row.get("ties") or 0)


def _chain(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return boxes and links by turns; a proof that does not begin where the last one ended begins a new chain."""
    chain: list[dict[str, Any]] = []
    pairs: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        pairs.setdefault((str(row["from"]), str(row["to"])), []).append(row)
    for (start, end), found in pairs.items():
        if not chain or chain[-1]["box"] != start:
            chain.append({"box": start, "begins": bool(chain)})
        chain += [_link(found), {"box": end, "begins": False}]
    return chain


def _link(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    sums = {key: sum(row.get(key) or 0 for row in rows) for key in ("compared", "equal", "ties", "differing")}
    vectors = max(row.get("vectors") or 0 for row in rows)
    look = "bad" if sums["differing"] else "good" if sums["compared"] else "none"
    return {**sums, "vectors": vectors, "stage": rows[0].get("stage"), "parts": len(rows), "look": look}
