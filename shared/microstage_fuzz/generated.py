"""`python -m microstage_fuzz.generated FOLDER SEED`: the C of a random network, in streamline's environment.

FOLDER/c is what the stages write; FOLDER/fuzzed.c calls all of it. Exit code 3 where the stages refuse the network.
"""

from __future__ import annotations

import sys
from pathlib import Path

from microstage.stage import stage_main
from microstage_bench.random_networks import build_network, draw_recipe
from microstage_cbackend.__main__ import run as cbackend
from microstage_fuzz.harness import fuzzed
from microstage_streamline.__main__ import run as streamline

__all__ = ["write"]

_LAYERS = 6
_REFUSED = 3


def write(folder: Path, seed: int) -> int:
    """Make the C of the network of `seed`; return the exit code."""
    given, graphs, c = folder / "network", folder / "graphs", folder / "c"
    given.mkdir(parents=True)
    (given / "model.onnx").write_bytes(build_network(draw_recipe(seed, layers=_LAYERS)).model.SerializeToString())
    for name, run, source, out in (
        ("streamline", streamline, f"network={given}", graphs),
        ("cbackend", cbackend, f"streamline={graphs}", c),
    ):
        if stage_main(name, run, ["--in", source, "--out", str(out), "--scratch", str(folder / f"{name}.scratch")]):
            return _REFUSED
    (folder / "fuzzed.c").write_text(fuzzed(c))
    return 0


if __name__ == "__main__":
    raise SystemExit(write(Path(sys.argv[1]), int(sys.argv[2])))
