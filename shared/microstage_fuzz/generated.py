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
_REFUSED, _OF_STAGES = 3, 2
"What this program ends with where a stage ends with the other: what it was given cannot be taken."
_SETTINGS = ("fpga_part=xc7z020clg400-1", "clk_ns=10", "target_cycles=8192")


def write(folder: Path, seed: int) -> int:
    """Make the C of the network of `seed`; return the exit code."""
    given, graphs, c = folder / "network", folder / "graphs", folder / "c"
    given.mkdir(parents=True)
    (given / "model.onnx").write_bytes(build_network(draw_recipe(seed, layers=_LAYERS)).model.SerializeToString())
    for name, run, source, out, settings in (
        ("streamline", streamline, f"network={given}", graphs, _SETTINGS),
        ("cbackend", cbackend, f"streamline={graphs}", c, ()),
    ):
        words = [word for setting in settings for word in ("--set", setting)]
        folders = ["--in", source, "--out", str(out), "--scratch", str(folder / f"{name}.scratch")]
        if code := stage_main(name, run, [*folders, *words]):
            return _REFUSED if code == _OF_STAGES else code + _REFUSED
    (folder / "fuzzed.c").write_text(fuzzed(c))
    return 0


if __name__ == "__main__":
    raise SystemExit(write(Path(sys.argv[1]), int(sys.argv[2])))
