"""When a reader has a fault: it ends otherwise than by an answer or by one sentence of `microstage.errors`."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from microstage.errors import MicrostageError

__all__ = ["Fault", "Reader", "fault_of"]

Reader = Callable[[bytes, Path], None]
"Reads what a file holds; a folder of its own is there for files."
_LONGEST = 4000  # characters of a sentence


@dataclass(frozen=True)
class Fault:
    """`kind` is the same for faults that are alike; `told` is the trace, or what is wrong with the sentence."""

    kind: str
    told: str

    @property
    def name(self) -> str:
        return hashlib.sha256(self.kind.encode()).hexdigest()[:12]


def fault_of(read: Reader, data: bytes, folder: Path) -> Fault | None:
    """Return what is wrong with how `read` ends; None where it answers, or refuses as it should.

    `RecursionError` is left to `microstage.process.ending`, which has a sentence for it.
    """
    try:
        read(data, folder)
    except MicrostageError as error:
        said = str(error)
        if not said.strip() or len(said) > _LONGEST:
            return Fault(f"sentence of {type(error).__name__} {_place(error)}", f"no sentence: {said[:_LONGEST]!r}")
    except RecursionError:
        return None
    except Exception as error:
        return Fault(f"{type(error).__name__} {_place(error)}", "".join(traceback.format_exception(error)))
    return None


def _place(error: Exception) -> str:
    """Return file and line of the innermost function of ours that an exception went through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/microstage" in frame.filename and "/microstage_fuzz/" not in frame.filename]
    return next((f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(own)), "outside")
