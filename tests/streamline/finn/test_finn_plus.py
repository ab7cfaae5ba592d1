"""finn-plus's own streamlining tests pass in the stage's environment, with our passes and stand-ins loaded."""

import os
import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

# They train and export a network with brevitas, which this stage's environment has no place for.
NEED_BREVITAS = ("test_sign_to_thres.py", "test_streamline_cnv.py", "test_streamline_fc.py")
AT_LEAST = 1300


def test_finn_plus_streamlining_tests_pass(tmp_path):
    suite = Path(distribution("finn-plus-tests").locate_file("tests"))
    folder = suite / "transformation" / "streamline"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--noconftest",
        "-p",
        "finn_plus_session",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:warnings",
        str(folder),
        *(f"--ignore={folder / name}" for name in NEED_BREVITAS),
    ]
    path = os.pathsep.join([os.environ["PYTHONPATH"], str(Path(__file__).parent)])
    done = subprocess.run(
        command,
        cwd=suite.parent,
        env={**os.environ, "PYTHONPATH": path, "FINN_BUILD_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout.splitlines()[-1])
    assert passed and int(passed[1]) >= AT_LEAST and "skipped" not in done.stdout.splitlines()[-1], done.stdout[-400:]
