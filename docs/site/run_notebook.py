"""Run a notebook from its first cell on, in its own folder: `python run_notebook.py FILE.ipynb [--write]`.

What a cell shows must be what the file holds already, or is written there with `--write`. Progress and tables are not
compared, as they say how long something took and where it lies; progress is not kept.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

REPOSITORY = Path(__file__).resolve().parents[2]


def main(file: Path, write: bool) -> int:
    """Return 0 where every cell ends well and shows what it showed before."""
    notebook = nbformat.read(file, as_version=4)
    before = [_shown(cell) for cell in notebook.cells]
    place = {"metadata": {"path": str(file.resolve().parent)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=place).execute()
    if write:
        file.write_text(nbformat.writes(_bare(notebook)).replace(f"{REPOSITORY}/", "") + "\n")
        return 0
    after = [_shown(cell) for cell in notebook.cells]
    for number, (old, new) in enumerate(zip(before, after, strict=True), 1):
        if old != new:
            print(f"{file}: cell {number} shows {new}, and the file holds {old}")
    return 0 if after == before else 1


def _shown(cell) -> list[str]:
    """Return what a cell shows as text alone."""
    data = [output.get("data", {}) for output in cell.get("outputs", [])]
    return [found["text/plain"] for found in data if "text/plain" in found and "text/html" not in found]


def _bare(notebook):
    """Return a notebook without what differs from run to run, but for its tables; `main` leaves out where it lies."""
    for cell in notebook.cells:
        cell.metadata = {}
        if "outputs" in cell:
            cell.execution_count = None
            cell.outputs = [output for output in cell.outputs if "data" in output]
            for output in cell.outputs:
                output.execution_count = None
    return notebook


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), "--write" in sys.argv))
