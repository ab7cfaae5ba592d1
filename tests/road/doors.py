"""What a user types: `make prove`, `make cbackend ONNX=`."""

import subprocess
from pathlib import Path

from microstage_runner.declarations.checkout import load_stages
from microstage_runner.engines.local import Environments
from microstage_runner.process import REPOSITORY


def volumes(folder: Path) -> Path:
    """A volume of its own at `folder`, with the environments that are here."""
    folder.mkdir(exist_ok=True)
    (folder / ".env").symlink_to(REPOSITORY / "volumes" / ".env")
    return folder


def executors() -> Path:
    """The interpreter that has other people's executors."""
    stage = load_stages(REPOSITORY)["streamline"]
    return Environments(REPOSITORY / "volumes" / ".env").ensure(stage.python, stage.folder / "requirements.lock")


def made(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", "--silent", *words], cwd=REPOSITORY, capture_output=True, text=True)


def compiled(network: Path, volumes: Path, *words: str) -> Path:
    """The C of `network`, with what else is typed."""
    done = made("cbackend", f"ONNX={network}", "RUNNER=local", f"VOLUMES={volumes}", *words)
    assert done.returncode == 0, f"{network.name}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return Path(next(line for line in done.stdout.splitlines() if line.startswith("result: ")).removeprefix("result: "))
