"""`python -m microstage.process.watchdog MODULE ...`: run a module for as long as whoever started it is there.

A stage on another machine has nobody to stop it when the link breaks. Its caller writes a byte to its standard input
now and then; at the end of that input, or after a silence, the process ends, and with it its container.
"""

from __future__ import annotations

import os
import runpy
import select
import sys
import threading
from contextlib import suppress

__all__ = ["ABANDONED", "BEAT_SECONDS", "SILENCE_SECONDS", "main"]

BEAT_SECONDS = 2.0
SILENCE_SECONDS = 30.0
ABANDONED = 143


def main(words: list[str]) -> None:
    threading.Thread(target=_leave_when_alone, daemon=True).start()
    sys.argv = words
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)


def _leave_when_alone() -> None:
    with suppress(OSError):  # an input that cannot be read has nobody behind it either
        while select.select([0], [], [], SILENCE_SECONDS)[0] and os.read(0, 1 << 10):
            pass
    os._exit(ABANDONED)


if __name__ == "__main__":
    main(sys.argv[1:])
