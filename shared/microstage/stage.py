"""What a stage sees: named input folders, its parameters, an empty output folder and a scratch folder.

A stage package ends in

    if __name__ == "__main__":
        raise SystemExit(stage_main("qcdq", run))

and is run, in a container or not, as

    python -m microstage_qcdq --in export=DIR --set seed=1 --out DIR --scratch DIR
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from microstage.errors import ParameterError, VerificationError
from microstage.files.canonical import write_json
from microstage.process.ending import TRACE, ended
from microstage.process.memory import memory_held
from microstage.process.progress import progress
from microstage.untrusted.printable import printable

__all__ = ["Job", "stage_main"]

T = TypeVar("T")
REPORT = "report.json"


@dataclass
class Job:
    """One run of a stage.

    `inputs` are read-only folders by name; `parameters` are complete and in canonical form; `output` starts empty;
    `scratch` survives a kill (checkpoints, and `logs/`, which are kept beside the artefact).
    """

    inputs: dict[str, Path]
    parameters: dict[str, Any]
    output: Path
    scratch: Path
    metrics: dict[str, Any] = field(default_factory=dict)
    verification: list[dict[str, Any]] = field(default_factory=list)

    @property
    def logs(self) -> Path:
        """Folder for logs that are kept beside the artefact, outside every digest."""
        folder = self.scratch / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def progress(self, items: Iterable[T], total: int, label: str) -> Iterator[T]:
        """Return `items`, with a bar on a terminal and plain lines in a log."""
        return progress(items, total, label)

    def log(self, text: str) -> None:
        """Tell the person who waits; names out of a user's files cannot move the cursor."""
        print(printable(text, keep="\n"), flush=True)

    def metric(self, name: str, value: Any) -> None:
        """Record a JSON value in the artefact's manifest; it must not depend on time or machine."""
        self.metrics[name] = value

    def verified(self, boundary: str, compared: int, equal: int, explained_ties: int = 0) -> None:
        """Record a comparison; raises `VerificationError` when nothing was compared or a difference is unexplained."""
        if compared == 0:
            raise VerificationError(f"At {boundary} no integers were compared: a check of nothing proves nothing.")
        if equal + explained_ties != compared:
            wrong = compared - equal - explained_ties
            raise VerificationError(f"At {boundary} {wrong} of {compared} integers differ from the stage before.")
        record = {"boundary": boundary, "compared": compared, "equal": equal, "explained_ties": explained_ties}
        self.verification.append(record)


def stage_main(name: str, run: Callable[[Job], None], arguments: list[str] | None = None) -> int:
    """Return the exit code of `run` on the job of the command line, as `microstage.process.ending` has them."""
    options = _options(name, arguments)
    return ended(f"microstage {name}", lambda: _work(options, run), options.scratch / "logs" / TRACE)


def _work(options: argparse.Namespace, run: Callable[[Job], None]) -> None:
    with memory_held():
        job = _job(options)
        run(job)
        write_json(job.output / REPORT, {"metrics": job.metrics, "verification": job.verification})


def _options(name: str, arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m microstage_{name}")
    parser.add_argument("--in", dest="inputs", metavar="NAME=DIR", action="append", default=[], type=_pair)
    parser.add_argument("--set", dest="values", metavar="NAME=VALUE", action="append", default=[], type=_pair)
    parser.add_argument("--out", type=Path, required=True, help="empty folder for the artefact")
    parser.add_argument("--scratch", type=Path, required=True, help="folder for checkpoints and logs")
    return parser.parse_args(arguments)


def _job(options: argparse.Namespace) -> Job:
    inputs = {key: Path(path) for key, path in options.inputs}
    for key, path in inputs.items():
        if not path.is_dir():
            raise ParameterError(f"Input {key}={path} is not a folder.")
    for folder in (options.out, options.scratch):
        folder.mkdir(parents=True, exist_ok=True)
    if any(options.out.iterdir()):
        raise ParameterError(f"--out {options.out} is not empty; give a new folder.")
    return Job(inputs, {key: _value(text) for key, text in options.values}, options.out, options.scratch)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, found {text!r}")
    return key, value


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
