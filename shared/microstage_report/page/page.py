"""The page: its sections in the order in which people look, each with what the facts say about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from microstage.errors import ParameterError
from microstage_report.page import vega
from microstage_report.page.clean import clean
from microstage_report.page.digits import number
from microstage_report.page.sections.answers import confusion, scores, signal
from microstage_report.page.sections.code import code
from microstage_report.page.sections.comparison import comparison
from microstage_report.page.sections.device import device
from microstage_report.page.sections.distributions import distributions
from microstage_report.page.sections.errors import errors
from microstage_report.page.sections.graphs import graphs
from microstage_report.page.sections.layers import layers
from microstage_report.page.sections.proofs import proofs
from microstage_report.page.sections.provenance import provenance
from microstage_report.page.sections.quality import accuracy, learning
from microstage_report.page.sections.verdict import verdict

__all__ = ["render"]

_HERE = Path(__file__).parent
_NEEDED = ("title", "verdict", "provenance")
Facts = Mapping[str, Any]


@dataclass(frozen=True)
class PageSection:
    """One section. Its name is the key of its facts, and of its template; `shown` makes of the facts what it shows."""

    name: str
    title: str
    short: str
    shown: Callable[[Facts], Mapping[str, Any]]


_SECTIONS = (
    PageSection("comparison", "Comparison", "Comparison", comparison),
    PageSection("signal", "Waveform", "Waveform", signal),
    PageSection("confusion", "Confusion matrix", "Confusion matrix", confusion),
    PageSection("scores", "Class scores", "Class scores", scores),
    PageSection("accuracy", "Accuracy beside baselines", "Accuracy", accuracy),
    PageSection("proofs", "Chain of proofs", "Proofs", proofs),
    PageSection("layers", "Layers", "Layers", layers),
    PageSection("errors", "Error of each layer", "Error", errors),
    PageSection("graphs", "Graph before and after", "Graph", graphs),
    PageSection("distributions", "Weights and activations", "Values", distributions),
    PageSection("code", "Flash, RAM, latency", "C", code),
    PageSection("device", "FPGA", "FPGA", device),
    PageSection("learning", "Training", "Training", learning),
    PageSection("provenance", "Provenance", "Provenance", provenance),
)


def render(facts: Facts) -> str:
    """Return the page of these facts as HTML. A section of which the facts say nothing is left out."""
    missing = [name for name in _NEEDED if name not in facts]
    if missing:
        raise ParameterError(f"facts lack {', '.join(missing)}: every page has {', '.join(_NEEDED)}.")
    facts = clean(facts)
    shown = [(section, section.shown(facts)) for section in _SECTIONS if facts.get(section.name)]
    return _environment().get_template("page.html").render(facts=facts, verdict=verdict(facts), sections=shown)


def _environment() -> Environment:
    """Return the templates' environment: all that is inserted is escaped, but for files of this package."""
    found = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["number"] = number
    found.globals["asset"] = lambda name: Markup((_HERE / name).read_text(encoding="utf-8"))
    found.globals["vega"] = lambda: Markup(vega.program())
    return found
