"""Clients of a container engine, whose output is passed on: a client that writes it itself
would end with its reader.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO, Any

__all__ = ["Relayed"]

_DRAIN_SECONDS = 5.0


class Relayed(subprocess.Popen[bytes]):
    """A process whose standard output and error are written by this one, line by line, as `streams.guard` has them.

    On a terminal, which has no reader but the person, it writes itself: bars need that.
    """

    def __init__(self, command: list[str], **options: Any) -> None:
        pipe = None if sys.stdout.isatty() and sys.stderr.isatty() else subprocess.PIPE
        super().__init__(command, stdout=pipe, stderr=pipe, **options)
        pairs = ((self.stdout, "stdout"), (self.stderr, "stderr"))
        self._threads = [threading.Thread(target=_pass_on, args=pair, daemon=True) for pair in pairs if pair[0]]
        for thread in self._threads:
            thread.start()

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code, after all that was printed has been passed on."""
        code = super().wait(timeout)
        for thread in self._threads:
            thread.join(_DRAIN_SECONDS)
        return code


def _pass_on(source: IO[bytes], name: str) -> None:
    for line in source:
        with suppress(OSError):  # a full disk behind it: this process says so when it ends
            getattr(sys, name).write(line.decode(errors="replace"))
            getattr(sys, name).flush()
