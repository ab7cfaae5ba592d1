"""Entry point; where python3 is older than 3.11 it hands over to a newer one before anything else is imported."""

import glob
import os
import shutil
import sys


def newer_python():
    """Return a CPython >= 3.11 on PATH, under pyenv, or in an environment that uv makes; None if there is none."""
    names = ["python3.%d" % minor for minor in range(15, 10, -1)]
    root = os.environ.get("PYENV_ROOT", os.path.expanduser("~/.pyenv"))
    found = [path for name in names for path in sorted(glob.glob("%s/versions/*/bin/%s" % (root, name)))]
    found += [path for path in map(shutil.which, names) if path and "/shims/" not in path]
    if not found and shutil.which("uv"):
        import subprocess  # seldom needed

        own = os.path.join(os.getcwd(), "volumes", ".env", "runner")
        if os.path.exists(own) or subprocess.call(["uv", "venv", "--quiet", "--python", "3.11", own]) == 0:
            found = [os.path.join(own, "bin", "python")]
    return found[0] if found else None


if sys.version_info < (3, 11):
    python = newer_python()
    if python is None:
        sys.exit("microstage: the runner needs CPython 3.11 or newer; install one, or uv, which brings it.")
    os.execv(python, [python, "-m", "microstage_runner"] + sys.argv[1:])

from pathlib import Path  # noqa: E402

from microstage_runner.process import load, process  # noqa: E402


def main():
    """Run the command of this process's arguments and return its exit code."""
    repository = Path(__file__).resolve().parents[2]
    return process(sys.argv[1:], repository, lambda: load("cli").run_command(sys.argv[1:]))


if __name__ == "__main__":
    raise SystemExit(main())
