"""The stage as the runner runs it."""

from pathlib import Path

import pytest


@pytest.fixture
def run_stage(tmp_path):
    """Runs the stage as the runner does; returns (exit code, output folder)."""
    from microstage.stage import stage_main
    from microstage_cbackend.__main__ import run

    def call(source: Path) -> tuple[int, Path]:
        out, scratch = tmp_path / "out", tmp_path / "scratch"
        code = stage_main(
            "cbackend", run, ["--in", f"streamline={source}", "--out", str(out), "--scratch", str(scratch)]
        )
        return code, out

    return call
