"""`make footprint MODEL=...`: what the generated C takes of other machines (microstage.benchmarks.footprint), in the rivals' environment."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from microstage.benchmarks.names import HARMONIC, NETWORKS, WIDTHS
from microstage.errors import MicrostageError
from microstage.runner.cli import REPOSITORY, Session
from microstage.runner.local import LocalBackend
from microstage.runner.rivals import artefacts, benchmarks, environment, generate, listed

__all__ = ["main"]


def main(words: Sequence[str]) -> int:
    """Exit code; words but MODEL= choose the run of the harmonic network. Without MODEL= also one network by the width of its weights."""
    typed = dict(word.split("=", 1) for word in words)
    models = listed(typed, "MODEL", NETWORKS, HARMONIC)
    session = Session(REPOSITORY, {name: value for name, value in typed.items() if name != "MODEL"})
    local = LocalBackend(REPOSITORY, session.volumes)
    python = environment(local)
    drawn = [model for model in models if model != HARMONIC] + ([] if "MODEL" in typed else [*WIDTHS.values()])
    with tempfile.TemporaryDirectory(prefix="microstage-footprint.") as scratch:
        twins, ours = Path(scratch) / "twins", Path(scratch) / "ours"
        ours.mkdir()
        if drawn:
            benchmarks(python, "twins", str(twins), *drawn)
        for model in drawn:
            generate(local, twins / model, ours / model, Path(scratch) / "build" / model)
        if HARMONIC in models:
            (ours / HARMONIC).symlink_to(artefacts(session)[1])
        return benchmarks(python, "footprint", "--ours", str(ours), *([] if "MODEL" in typed else ["--widths"]), *models)


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except MicrostageError as error:
        print(f"microstage: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
