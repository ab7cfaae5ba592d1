"""What a page says, read from the published artefacts of a run."""

from microstage_report.facts.collect import facts_of
from microstage_report.facts.run import Run

__all__ = ["Run", "facts_of"]
