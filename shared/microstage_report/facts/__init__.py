"""What a page says, read from the published artefacts of a run."""

from microstage_report.facts.collect import facts_of
from microstage_report.facts.run import PublishedRun

__all__ = ["PublishedRun", "facts_of"]
