"""The stage as the runner runs it, on a copy of the exported fixture that a test may spoil."""

import json
import shutil
from pathlib import Path

import onnx
import pytest
from places import FIXTURES


class Stage:
    """`source` is the input folder; `run()` gives the exit code and fills `out`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.runs = folder, 0
        self.source = folder / "export"
        shutil.copytree(FIXTURES / "export", self.source)

    def run(self) -> int:
        from microstage.stage import stage_main
        from microstage_qcdq.__main__ import run

        self.runs += 1
        self.out = self.folder / f"out{self.runs}"
        scratch = self.folder / f"scratch{self.runs}"
        return stage_main(
            "qcdq", run, ["--in", f"export={self.source}", "--out", str(self.out), "--scratch", str(scratch)]
        )

    def edit(self, change) -> None:
        """Apply `change(model)` to the exported model."""
        path = self.source / "brevitas_export_model.onnx"
        model = onnx.load(str(path))
        change(model)
        onnx.save(model, str(path))

    def bytes(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.out.iterdir())}

    def verification(self) -> dict[str, dict]:
        return {v["boundary"]: v for v in json.loads((self.out / "report.json").read_text())["verification"]}


@pytest.fixture
def stage(tmp_path):
    return Stage(tmp_path)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The stage on the exported fixture as it is, which has run; nobody spoils it."""
    stage = Stage(tmp_path_factory.mktemp("made"))
    assert stage.run() == 0
    return stage
