"""Tell what is in a network file, or write it with other layouts of its weights.

python -m microstage_cbackend.network_file net.msn [--info] [--layouts rows --out small.msn]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from microstage.errors import ArtefactError, ParameterError
from microstage.files.atomic import write_whole
from microstage.process.ending import ended
from microstage_cbackend.network_file.format.numbers import LAYOUTS
from microstage_cbackend.network_file.reading.check import read_network
from microstage_cbackend.network_file.reading.info import info
from microstage_cbackend.network_file.writing.network import with_layouts


def main(words: list[str] | None = None) -> int:
    """Return the exit code of the command of these `words`."""
    parser = argparse.ArgumentParser(prog="network_file", description="Tell what is in a network file.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--info", action="store_true", help="tell what is in it (also without this word)")
    parser.add_argument("--layouts", default="", help=f"of {','.join(LAYOUTS)}: those that are kept; rows always are")
    parser.add_argument("--out", type=Path, help="the file that is written with these layouts")
    given = parser.parse_args(words)
    return ended("network_file", lambda: _run(given))


def _run(given: argparse.Namespace) -> None:
    if not given.file.is_file():
        raise ArtefactError(f"There is no file {given.file}; `make cbackend` writes <name>.msn.")
    file = read_network(given.file.read_bytes())
    kept = [layout for layout in given.layouts.split(",") if layout]
    if unknown := [layout for layout in kept if layout not in LAYOUTS]:
        raise ParameterError(f"There is no layout {unknown[0]}; layouts are {', '.join(LAYOUTS)}.")
    if bool(kept) != bool(given.out):
        raise ParameterError("--layouts and --out go together: which layouts are kept, and in which file.")
    if given.out:
        write_whole(given.out, with_layouts(file, kept))
    else:
        print(info(file))


if __name__ == "__main__":
    raise SystemExit(main())
