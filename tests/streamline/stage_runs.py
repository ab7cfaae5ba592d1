"""The stage as the runner runs it, as often as a test likes: on a file of a user's own, or on what qcdq published."""

import json
import shutil
from pathlib import Path

import numpy as np

from microstage.stage import stage_main
from microstage_streamline.__main__ import run

__all__ = ["FIXTURES", "StageOnFile", "StageOnParts"]

FIXTURES = Path(__file__).parents[1] / "fixtures"
_PARAMETERS = {"fpga_part": "xc7z020clg400-1", "clk_ns": 10, "target_cycles": 8192, "target_fps": 0, "folding": ""}


class _Stage:
    """`source` is the input folder; a run gives the exit code and fills `out`."""

    def __init__(self, folder: Path, given: str) -> None:
        self.folder, self.given, self.source, self.runs = folder, given, folder / given, 0
        self.parameters = dict(_PARAMETERS)

    def _run(self) -> int:
        self.runs += 1
        self.out = self.folder / f"out{self.runs}"
        values = [word for name, value in self.parameters.items() for word in ("--set", f"{name}={json.dumps(value)}")]
        folders = ["--out", str(self.out), "--scratch", str(self.folder / f"scratch{self.runs}")]
        return stage_main("streamline", run, ["--in", f"{self.given}={self.source}", *values, *folders])

    def report(self) -> dict:
        return json.loads((self.out / "report.json").read_text())

    def metrics(self) -> dict:
        return self.report()["metrics"]


class StageOnParts(_Stage):
    """On a copy of what qcdq published, which a test may spoil."""

    def __init__(self, folder: Path, published: Path = FIXTURES / "qcdq") -> None:
        super().__init__(folder, "qcdq")
        shutil.copytree(published, self.source)

    def run(self) -> int:
        return self._run()


class StageOnFile(_Stage):
    """On a model, or bytes of any kind, golden vectors and inputs to calibrate on, which `run` puts where the runner
    would.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "network")
        self.source.mkdir(parents=True)

    def run(self, model, **golden) -> int:
        data = model if isinstance(model, bytes) else model.SerializeToString()
        (self.source / "model.onnx").write_bytes(data)
        if golden:
            np.savez(self.source / "golden.npz", **golden)
        return self._run()

    def calibrate_on(self, content) -> None:
        """Put arrays, one array without a name, or bytes of any kind beside the model of the next runs."""
        path = self.source / "calibration.npz"
        with path.open("wb") as file:
            if isinstance(content, bytes):
                file.write(content)
            elif isinstance(content, dict):
                np.savez(file, **content)
            else:
                np.save(file, content)

    def interface(self) -> dict:
        return json.loads((self.out / "interface.json").read_text())["parts"]["model_finn_streamlined"]

    def unresolved(self) -> list:
        return json.loads((self.out / "unresolved.json").read_text())["unresolved"]
