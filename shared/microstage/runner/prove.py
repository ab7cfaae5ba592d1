"""`make prove MODEL=... CYCLES=0.25,0.5`: the C that the stages wrote beside their integer reference on random vectors (tests/cbackend/prove.py)."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from microstage.benchmarks.names import NETWORKS
from microstage.errors import MicrostageError
from microstage.runner.cli import REPOSITORY, split_words
from microstage.runner.local import LocalBackend
from microstage.runner.measured import Asked, number, steps_of
from microstage.runner.tests import environment_of

__all__ = ["main"]


def main(words: Sequence[str]) -> int:
    """Exit code of the proof that NAME=VALUE `words` ask for."""
    typed = split_words(words)
    asked = Asked.read("prove", typed, NETWORKS)
    options = [f"--vectors={number(typed, 'VECTORS', 10000)}", f"--seconds={number(typed, 'SECONDS', 30)}"]
    script = REPOSITORY / "tests" / "cbackend" / "prove.py"
    with tempfile.TemporaryDirectory(prefix="microstage-prove.") as scratch:
        made = steps_of(asked, "cbackend", Path(scratch))
        networks = ["=".join([one.name, *(str(steps[stage].artefact.folder) for stage in ("streamline", "cbackend"))]) for one, steps in made]
        python, environment = environment_of(script.parent, LocalBackend(REPOSITORY, asked[0].session({}).volumes), Path(scratch))
        return subprocess.run([str(python), str(script), *options, *networks], env=environment).returncode


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except MicrostageError as error:
        print(f"microstage: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
