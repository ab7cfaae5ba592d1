"""`make prove MODEL=... CYCLES=0.25,0.5`: the generated C beside the integer reference on random vectors (tests/cbackend/prove.py).

Drawn networks and the LSTM stack are written there; the harmonic network comes from runs of the pipeline, one per value of CYCLES.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from microstage.benchmarks.names import HARMONIC, NETWORKS
from microstage.errors import MicrostageError
from microstage.runner.cli import REPOSITORY, Session
from microstage.runner.local import LocalBackend
from microstage.runner.rivals import listed
from microstage.runner.tests import environment_of

__all__ = ["main"]

_LSTM_STACK = "lstm-stack"
_OWN = ("MODEL", "VECTORS", "SECONDS", "CYCLES")


def main(words: Sequence[str]) -> int:
    """Exit code of the proof that NAME=VALUE `words` ask for; those that are not its own choose the runs of the harmonic network."""
    typed = dict(word.split("=", 1) for word in words)
    models = listed(typed, "MODEL", [_LSTM_STACK, *NETWORKS], HARMONIC)
    chosen = {name: value for name, value in typed.items() if name not in _OWN}
    session = Session(REPOSITORY, chosen)
    networks = [model for model in models if model != HARMONIC] + (_runs(chosen, typed) if HARMONIC in models else [])
    options = [f"--{name.lower()}={typed[name]}" for name in ("VECTORS", "SECONDS") if name in typed]
    script = REPOSITORY / "tests" / "cbackend" / "prove.py"
    with tempfile.TemporaryDirectory() as scratch:
        python, environment = environment_of(script.parent, LocalBackend(REPOSITORY, session.volumes), Path(scratch))
        return subprocess.run([str(python), str(script), *options, *networks], env=environment).returncode


def _runs(chosen: Mapping[str, str], typed: Mapping[str, str]) -> list[str]:
    """NAME=FOLDER of the streamlined graphs per value of CYCLES, made where they are missing."""
    found = []
    for cycles in typed.get("CYCLES", "0.5").split(","):
        session = Session(REPOSITORY, {**chosen, "CYCLES": cycles})
        step = session.chain().run("streamline")[-1]
        found.append(f"{HARMONIC} {cycles}={session.store.folder('streamline', step.about['key'])}")
    return found


if __name__ == "__main__":
    try:
        raise SystemExit(main(sys.argv[1:]))
    except MicrostageError as error:
        print(f"microstage: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
