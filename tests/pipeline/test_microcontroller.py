"""docs/microcontroller.md, command by command."""

import re
import shutil
import subprocess

import pytest

from microstage.runner.cli import REPOSITORY

PAGE = (REPOSITORY / "docs" / "microcontroller.md").read_text()
_HERE = """set -euo pipefail
make() {
    case "$1" in
    -C) command make --silent "$@" ;;
    *) command make --silent "$@" RUNNER=local VOLUMES="$PWD/volumes" ;;
    esac
}
"""


def test_every_command_of_the_page_runs_and_prints_lines_as_it_says(tmp_path):
    for tool in ("arm-none-eabi-gcc", "qemu-system-arm", "cmake"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")
    for entry in REPOSITORY.iterdir():
        if entry.name not in ("volumes", ".git"):
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / "volumes").mkdir()
    (tmp_path / "volumes" / ".env").symlink_to(REPOSITORY / "volumes" / ".env")
    commands = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
    assert len(commands) == 5
    done = subprocess.run(
        ["timeout", "300", "bash", "-c", _HERE + "\n".join(commands)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    printed, shown = done.stdout.splitlines(), re.findall(r"^ {4}(.*)$", PAGE.split("and runs it under qemu")[1].split("```")[0], re.MULTILINE)
    assert re.search(r"^equal logits (\d+) \1$", done.stdout, re.MULTILINE)
    said = {re.sub(r"-?\d+", "#", line) for line in printed}
    assert len(shown) == 4 and {re.sub(r"-?\d+", "#", line) for line in shown if line != "..."} <= said
    assert re.fullmatch(r"-?\d+ -?\d+ -?\d+", printed[-1])
