"""Charts that a page carries: Vega's own program, once; each chart as its data, and as a still picture."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import altair
import vl_convert

__all__ = ["described", "drawn", "program"]

_STILL_WIDTH = 640  # pixels of a picture that cannot measure its page
_EXPOSED = "window.vegaEmbed = vegaEmbed;"
_THEME = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "view": {"stroke": "transparent"},
    "axis": {
        "labelColor": "var(--soft)",
        "titleColor": "var(--soft)",
        "gridColor": "var(--line)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    },
    "legend": {
        "labelColor": "var(--ink)",
        "titleColor": "var(--soft)",
        "labelFontSize": 12,
        "orient": "top",
        "title": None,
        "symbolStrokeWidth": 2.5,
    },
    "mark": {"aria": False, "tooltip": True},
}


def program() -> str:
    """Return the JavaScript that draws charts. Bundling takes seconds, so the environment keeps what came of it."""
    kept = Path(sys.prefix) / f"vega-of-vl-convert-{vl_convert.__version__}.js"
    if kept.exists():
        return kept.read_text(encoding="utf-8")
    made = vl_convert.javascript_bundle(_EXPOSED)
    if os.access(sys.prefix, os.W_OK):
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=sys.prefix, delete=False) as beside:
            beside.write(made)
        os.replace(beside.name, kept)
    return made


def described(chart: altair.TopLevelMixin) -> dict[str, Any]:
    """Return a chart as Vega-Lite reads it, in the page's own colours, which CSS changes between light and dark.

    It takes the width of the place where it stands.
    """
    return {**chart.to_dict(), "config": _THEME}


def drawn(chart: altair.TopLevelMixin) -> str:
    """Return a chart as a still SVG, for a reader who runs no program."""
    return vl_convert.vegalite_to_svg({**described(chart), "width": _STILL_WIDTH})
