"""What a page says, read from the published artefacts of a run, or from what a recording was estimated to be."""

from microstage_report.facts.collect import facts_of
from microstage_report.facts.recording import facts_of_recording
from microstage_report.facts.run import PublishedRun

__all__ = ["PublishedRun", "facts_of", "facts_of_recording"]
