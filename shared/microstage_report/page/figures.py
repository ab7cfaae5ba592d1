"""A figure of a page: a chart, what it shows in words, and its table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair

from microstage_report.page import vega
from microstage_report.page.tables import Table

__all__ = ["SERIES", "Figure", "chart", "figure", "series"]

SERIES = [f"var(--s{index})" for index in range(1, 7)]
_DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [1, 3], [10, 4]]


@dataclass(frozen=True)
class Figure:
    """`summary` says in a sentence what the picture shows, for who does not see it."""

    title: str
    summary: str
    described: dict[str, Any]
    still: str
    table: Table


def figure(title: str, summary: str, picture: altair.TopLevelMixin, table: Table) -> Figure:
    return Figure(title, summary, vega.described(picture), vega.drawn(picture), table)


def chart(rows: list[dict[str, Any]], height: int = 240) -> altair.Chart:
    """Return an empty chart of `rows`, as wide as the place where it stands."""
    return altair.Chart(altair.Data(values=rows), width="container", height=height)


def series(names: Sequence[str], kind: str = "line") -> dict[str, Any]:
    """Return the encodings that tell series (field `series`) apart: by colour, and lines by their dashes as well."""
    legend = altair.Legend(symbolType="stroke") if kind == "line" else altair.Legend(symbolType="square")
    colours = [SERIES[index % len(SERIES)] for index in range(len(names))]
    found = {"color": altair.Color("series:N", sort=None, legend=legend).scale(domain=list(names), range=colours)}
    if kind == "line":
        dashes = [_DASHES[index % len(_DASHES)] for index in range(len(names))]
        found["strokeDash"] = altair.StrokeDash("series:N", sort=None, legend=legend).scale(
            domain=list(names), range=dashes
        )
    return found
