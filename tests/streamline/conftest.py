"""The stage as the runner runs it, on a copy of the QCDQ fixture that a test may spoil."""

import json
import shutil
from pathlib import Path

import pytest
from user_files import StageOnFile

FIXTURE = Path(__file__).parents[1] / "fixtures" / "qcdq"
PARAMETERS = {"fpga_part": "xc7z020clg400-1", "clk_ns": 10, "target_cycles": 8192}


class Stage:
    """`source` is the input folder; `run()` gives the exit code and fills `out`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.runs = folder, 0
        self.source = folder / "qcdq"
        shutil.copytree(FIXTURE, self.source)

    def run(self) -> int:
        from microstage.stage import stage_main
        from microstage_streamline.__main__ import run

        self.runs += 1
        self.out = self.folder / f"out{self.runs}"
        values = [word for name, value in PARAMETERS.items() for word in ("--set", f"{name}={json.dumps(value)}")]
        scratch = str(self.folder / f"scratch{self.runs}")
        return stage_main(
            "streamline", run, ["--in", f"qcdq={self.source}", *values, "--out", str(self.out), "--scratch", scratch]
        )

    def report(self) -> dict:
        return json.loads((self.out / "report.json").read_text())


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


@pytest.fixture
def own(tmp_path):
    """The stage on a file of a user's own."""
    return StageOnFile(tmp_path)
