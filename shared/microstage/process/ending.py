"""How a program of ours ends, whatever stops it: with one sentence and a code (docs/adr/0020).

0    done                          70   a fault of ours, whose trace is kept
2    bad input, or the machine's   129, 130, 143   SIGHUP, SIGINT, SIGTERM
3    a comparison that failed
"""

from __future__ import annotations

import io
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from microstage.errors import MicrostageError
from microstage.process.streams import drop, guard
from microstage.untrusted.exceptions import lacks_memory
from microstage.untrusted.printable import printable

__all__ = ["FAULT", "TRACE", "Stopped", "ended", "meaning"]

FAULT = 70
TRACE = "traceback.txt"
_BAD = 2
_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
_ECHO_SECONDS = 10  # make passes on what the terminal sends to all; and cleaning up is not to be cut short
_LONGEST = 400
_NO_ROOM = ("no space left", "file write failed")
_heard = -float(_ECHO_SECONDS)


class Stopped(KeyboardInterrupt):
    """One of the signals by which a person, a shell or a scheduler ends a program."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number


def meaning(code: int) -> str:
    """Return what the exit code of a program says, whether `ended` or a signal gave it."""
    number = -code if code < 0 else code - 128
    if number == signal.SIGKILL:
        return "killed, perhaps for want of memory: MEMORY= gives more where there is more"
    if number in set(signal.Signals):
        return f"ended by {signal.Signals(number).name}"
    known = {
        _BAD: "bad input, or its message is above",
        3: "verification failed, or a network cut short",
        FAULT: "a fault of microstage",
    }
    return known.get(code, "its message is above")


def ended(who: str, work: Callable[[], int | None], trace: Path | None = None, interrupted: str = "") -> int:
    """Return the exit code of `work`.

    What stops it is told in one sentence that begins with `who`, `interrupted` if a signal did. The trace of an
    exception that nobody expected is printed.

    The trace of an exception that nobody foresaw is written to the file `trace`; without one it is shown.
    """
    guard()
    try:
        with _hearing():
            code = work() or 0
            sys.stdout.flush()
            return code
    except MicrostageError as error:
        return _told(f"{who}: {error}", error.exit_code)
    except KeyboardInterrupt as stop:
        name, code = str(stop) or "SIGINT", getattr(stop, "code", 130)
        return _told(f"{who}: interrupted by {name}; {interrupted}" if interrupted else "", code)
    except RecursionError:
        return _told(f"{who}: What it was given is nested deeper than can be followed; a flatter one is needed.", _BAD)
    except Exception as error:
        return _failed(who, error, trace)


def _failed(who: str, error: Exception, trace: Path | None) -> int:
    said = _short(error)
    if lacks_memory(error):
        what = f" ({said})" if said else ""
        return _told(
            f"{who}: This needs more memory than the machine, or MEMORY=, has{what}; give it more, or a smaller "
            "network.",
            _BAD,
        )
    if isinstance(error, OSError) or any(text in said.lower() for text in _NO_ROOM):  # of the machine, not of the code
        return _told(f"{who}: {_of_the_machine(error)}.", _BAD)
    kept = _keep(error, trace)
    return _told(f"{who}: {type(error).__name__}: {said}: a fault of microstage; {kept}.", FAULT)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:_LONGEST].rstrip(".")


def _of_the_machine(error: Exception) -> str:
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):  # of a whole folder: the first is enough
        return str(error.args[0][0][-1])
    file = getattr(error, "filename", None) or _file_at_hand(error) or "while reading or writing"
    return f"{getattr(error, 'strerror', None) or _short(error)}: {file}"


def _file_at_hand(error: Exception) -> str | None:
    """Return the file that was being read or written, of which an error of its disk says nothing."""
    import traceback  # here, as nothing needs it when all goes well

    frames = [frame.f_locals.values() for frame, _ in traceback.walk_tb(error.__traceback__)]
    names = [str(getattr(value, "name", "")) for values in frames for value in values if isinstance(value, io.IOBase)]
    return next((name for name in reversed(names) if "/" in name), None)


def _keep(error: Exception, trace: Path | None) -> str:
    import traceback

    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    if trace is not None:
        with suppress(OSError):
            trace.parent.mkdir(parents=True, exist_ok=True)
            trace.write_text(text, errors="backslashreplace")
            return f"its trace is in {trace}"
    _told(text, FAULT, lines=True)
    return "its trace is above"


def _told(text: str, code: int, lines: bool = False) -> int:
    """Return `code`, after what can still be written was."""
    for stream, last in ((sys.stdout, ""), (sys.stderr, printable(text, keep="\n" if lines else ""))):
        try:
            print(last, end="\n" if last else "", file=stream, flush=True)
        except OSError:  # a full disk behind it: the interpreter would try once more, and complain
            drop(stream.fileno())
    return code


@contextmanager
def _hearing() -> Iterator[None]:
    """Within it, each of the signals is `Stopped`, but for those that this process was started to ignore (nohup)."""
    alone = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in _SIGNALS if alone}
    try:
        for number, handler in before.items():
            if handler != signal.SIG_IGN:
                signal.signal(number, _stop)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    global _heard
    now = time.monotonic()
    if now - _heard >= _ECHO_SECONDS:
        _heard = now
        raise Stopped(number)
