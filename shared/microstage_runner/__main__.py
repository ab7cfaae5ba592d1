"""Entry point; where python3 is older than 3.11 it hands over to a newer one before anything else is imported."""

import glob
import importlib
import os
import shutil
import sys


def newer_python():
    """A CPython >= 3.11 on PATH, under pyenv, or in an environment that uv makes; None if there is none."""
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

from microstage_runner.process import process  # noqa: E402

BY_THEMSELVES = {
    "tests": "tests",
    "lint": "lint",
    "bench": "bench",
    "rivals": "bench_runtimes",
    "prove": "prove",
    "footprint": "footprint",
}


def work():
    """What the Makefile asks for; all else is imported where a signal is heard already."""
    command, *words = sys.argv[1:] or ["variables"]
    if command in BY_THEMSELVES:
        return importlib.import_module("microstage_runner.commands.%s" % BY_THEMSELVES[command]).main(words)
    from microstage_runner.cli import run_command

    return run_command([command, *words])


def main():
    """Run the command of the process's arguments and return its exit code."""
    return process(sys.argv[1:], Path(__file__).resolve().parents[2], work)


if __name__ == "__main__":
    raise SystemExit(main())
