"""One job of a sweep: `python -m microstage_runner.sweeping.job STAMP STAGE NAME=VALUE...` makes everything up to the
stage that is not made yet, and writes the artefact's path to the stamp.
"""

from __future__ import annotations

import sys
from pathlib import Path

from microstage_runner.engines import offline
from microstage_runner.process import REPOSITORY, process
from microstage_runner.session import Session, split_words

__all__ = ["main"]


def main(arguments: list[str], repository: Path = REPOSITORY) -> int:
    """Return the exit code of the job; there is a stamp only where it is 0."""
    stamp, stage, *words = arguments
    return process(words, repository, lambda: _make(Path(stamp), stage, split_words(words), repository))


def _make(stamp: Path, stage: str, typed: dict[str, str], repository: Path) -> None:
    offline.choose(typed.get("VENDOR"))
    session = Session.of(stage, repository, typed)
    *_, last = session.pipeline().run(stage)
    stamp.write_text(f"{last.artefact.path}\n")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
