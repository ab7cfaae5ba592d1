"""Other people's programs on other people's files: what they raise is their own, and becomes one sentence of ours."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from microstage.errors import MicrostageError

__all__ = ["lacks_memory", "translated"]

_LONGEST = 160
_NO_MEMORY = ("bad_alloc", "allocate memory", "allocate buffer", "out of memory", "map segment", "map zero-fill pages")
"The last two are the loader's, of a library that is imported."


@contextmanager
def translated(said: Callable[[str], Exception]) -> Iterator[None]:
    """Within it, any exception becomes `said(its own words in one line)`.

    Want of memory, a disk's fault and endless nesting stay what they are, as they say nothing of the file
    (microstage.process.ending tells them), and so does a sentence of ours.
    """
    try:
        yield
    except (MicrostageError, OSError, RecursionError):
        raise
    except Exception as error:
        if lacks_memory(error):
            raise MemoryError(*error.args) from error
        raise said(" ".join(str(error).split())[:_LONGEST].rstrip(".")) from None


def lacks_memory(error: BaseException | None) -> bool:
    """Tell whether an exception, or what led to it, is for want of memory: libraries in C++ have no class for it."""
    while error is not None:
        said = str(error).lower()
        own = isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM
        if own or any(text in said for text in _NO_MEMORY):
            return True
        error = error.__cause__
    return False
