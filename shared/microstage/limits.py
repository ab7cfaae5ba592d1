"""How much of a file that a stranger wrote is read, held and computed: every cap, with its reason.

Sizes are checked where a file declares them, before anything of that size is made. Memory is capped as well, for what
no declaration tells, so that a stage that wants too much ends with one sentence and the machine goes on.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "LONGEST_NAME",
    "MOST_AXES",
    "MOST_BITS",
    "MOST_COMPUTED",
    "MOST_LOOKED_AT",
    "MOST_NODES",
    "MOST_OCTETS",
    "MOST_STORED",
    "MOST_UNPACKED",
    "MOST_WORK",
    "memory_held",
]

MOST_BITS = 32
"Of one quantiser. Accumulators are proven in 53 bits; a product of wider factors would not fit."
MOST_AXES = 8
"Of an input, and of a tensor of a .tflite file; TensorFlow Lite's kernels know no more."
MOST_STORED = 1 << 27
"Values of one constant, stored or made of such. The largest layer of VGG-16 stores 2^26.6."
MOST_COMPUTED = 1 << 23
"Values of one tensor that is computed of one sample. A U-Net of 32 channels on 512 x 512 pixels has this many."
MOST_LOOKED_AT = 1 << 28
"Values that the windows of one convolution or pool hold in sum, of all samples that are run at once: all are laid out."
MOST_WORK = 1 << 35
"Multiplications for one sample. VGG-16 needs 2^34; a verification takes dozens of samples."
MOST_NODES = 1 << 13
"Of a network. EfficientNet-B7 between quantisers has half of this; each node is compared with another executor."
MOST_OCTETS = 1 << 30
"Of a network's file with its weights, or of a file of weights unpacked."
MOST_UNPACKED = 1 << 31
"Octets of golden vectors: 10,000 grey images of 224 x 224 pixels in float32 have less."
LONGEST_NAME = 1000
"Characters of a tensor's or a node's name: names become names of C and of files."

_SHARE = 0.9  # of the memory, for one stage
_GROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@contextmanager
def memory_held() -> Iterator[None]:
    """Within it, this process, and each that it starts, has nine tenths of what the machine or the container has, but no more.

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
    """Octets that a container may have; infinite where nothing is said."""
    try:
        return float(Path(path).read_text())
    except (OSError, ValueError):  # no such kernel interface, or "max"
        return float("inf")
