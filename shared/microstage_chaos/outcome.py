"""What came of the tries of one fault."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Lost", "Skipped", "Tally"]


class Lost(Exception):
    """A promise that did not hold: what was there, and what should have been."""


class Skipped(Exception):
    """A fault that cannot be tried on this machine, and what it lacks."""


@dataclass
class Tally:
    """How often a fault was tried, and each try that was lost, by its number."""

    name: str
    title: str
    tries: int = 0
    lost: dict[int, str] = field(default_factory=dict)
    skipped: str = ""
    remarks: list[str] = field(default_factory=list)

    @property
    def row(self) -> tuple[str, str, str, str]:
        """Return what the table shows: fault, tries, held, lost."""
        if self.skipped:
            return f"{self.title} (skipped: {self.skipped})", "0", "", ""
        return self.title, str(self.tries), str(self.tries - len(self.lost)), str(len(self.lost))
