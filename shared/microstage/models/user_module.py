"""A module of the user's own in the place of a family.

It is loaded from its file; a failure in it is named with its line.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from microstage.errors import MicrostageError, ModelError

__all__ = ["CLASSES", "FILE", "blaming_the_module", "expect", "exporting", "load"]

FILE = "model.py"
TRAINING, EXPORTING = CLASSES = ("Training", "Exporting")  # what the stages ask for, as of a family's modules
FLOATS = "microstage.models.floats.training.FloatTraining"  # a Training that is derived from it says all
TRACE = "traceback.txt"
_NAME = "microstage_own_model"


def load(folder: Path) -> ModuleType:
    """Run the module in `folder` and return it."""
    found = importlib.util.spec_from_file_location(_NAME, folder / FILE)
    if found is None or found.loader is None:
        raise ModelError(f"{folder / FILE} cannot be loaded as a module of Python.")
    module = sys.modules[_NAME] = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def exporting(module: ModuleType) -> type:
    """Return the class that the export stage asks for: the module's own, or what a float network's training makes."""
    own = getattr(module, EXPORTING, None)
    return own if own is not None else module.Training.exporting()


def expect(found: type, kind: type) -> None:
    """Raise `ModelError` unless `found` is what the stages can deal with."""
    if not issubclass(found, kind):
        raise ModelError(
            f"Class {found.__name__} must be derived from {kind.__module__}.{kind.__name__}; docs/adding-a-model.md "
            "shows one."
        )


@contextmanager
def blaming_the_module(model: str, folder: Path | None, logs: Path) -> Iterator[None]:
    """Turn whatever fails within it into a `ModelError`, if a module of the user's own runs.

    The message has the module's line that led there; the trace is a log.
    """
    try:
        yield
    except MicrostageError:
        raise
    except Exception as error:
        if folder is None:
            raise
        (logs / TRACE).write_text("".join(traceback.format_exception(type(error), error, error.__traceback__)))
        frames = traceback.extract_tb(error.__traceback__)
        last = next((frame for frame in reversed(frames) if Path(frame.filename) == folder / FILE), None)
        place = f", line {last.lineno}, `{last.line}`" if last else ""
        said = " ".join(str(error).split()).rstrip(".")
        raise ModelError(f"{model}.py{place}: {type(error).__name__}: {said}.") from None
