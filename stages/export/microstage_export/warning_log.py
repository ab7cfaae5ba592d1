"""Warnings of the exporter: all into a log, and to the terminal those that are about the network."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from microstage.stage import Job

__all__ = ["logged_warnings"]

_OLD_AGE = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)  # of pinned packages: nobody need act on it


@contextmanager
def logged_warnings(job: Job) -> Iterator[None]:
    """Write the warnings within it to `logs/warnings.txt`.

    Each but those of a package's age is a line on the terminal, too.

    The runner silences Python's own printing of warnings, so a real one would be lost.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        finally:
            lines = [f"{w.category.__name__}: {' '.join(str(w.message).split())}" for w in caught]
            (job.logs / "warnings.txt").write_text("".join(f"{line}\n" for line in lines))
            real = [line for line, w in zip(lines, caught) if not _is_of_age(w)]
            for line in dict.fromkeys(real):
                job.log(f"export: {line}")


def _is_of_age(warning: warnings.WarningMessage) -> bool:
    return issubclass(warning.category, _OLD_AGE) or "is deprecated" in str(warning.message)
