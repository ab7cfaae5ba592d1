"""Cap the memory of a process, for what no declared size tells.

It then ends with one sentence, and the machine goes on.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["memory_held"]

_SHARE = 0.9  # of the memory, for one stage
_GROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@contextmanager
def memory_held() -> Iterator[None]:
    """Give this process, and each that it starts, nine tenths of what the machine or the container has, but no more.

    What asks for more is refused, as `MemoryError`, where the kernel would kill it, or another program, without a word.
    """
    most = int(_SHARE * min(_of_machine(), *map(_of_group, _GROUPS)))
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    found = [limit for limit in (most, soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(found), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _of_machine() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _of_group(path: str) -> float:
    """Return the octets that a container may have; infinite where nothing is said."""
    try:
        return float(Path(path).read_text())
    except (OSError, ValueError):  # no such kernel interface, or "max"
        return float("inf")
