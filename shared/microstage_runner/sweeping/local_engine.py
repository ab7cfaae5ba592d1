"""Jobs side by side on this machine, each once those that it is behind are done."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping

from microstage_runner.sweeping.jobs import SweepJob

__all__ = ["run"]

_LOOK_SECONDS = 0.05
_MIB = 1 << 20
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def run(jobs: Mapping[str, SweepJob], side_by_side: int) -> None:
    """Run every job; what is behind one that fails is left out. At most `side_by_side` run at once, and no more than
    the machine has the memory for.
    """
    waiting, running = dict(jobs), dict[str, subprocess.Popen]()
    try:
        while waiting or running:
            for job in _startable(waiting, running, jobs, side_by_side):
                running[job.name] = _start(waiting.pop(job.name))
            if not running:
                return  # what is left waits for what failed
            for name in _ended(running):
                code = running.pop(name).wait()
                _say(jobs[name], code, f"{len(jobs) - len(waiting) - len(running)} of {len(jobs)}")
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait()


def _ended(running: Mapping[str, subprocess.Popen]) -> list[str]:
    """Return the names of the jobs that ended, when there is one."""
    while not (ended := [name for name, process in running.items() if process.poll() is not None]):
        time.sleep(_LOOK_SECONDS)
    return ended


def _startable(
    waiting: Mapping[str, SweepJob], running: Collection[str], jobs: Mapping[str, SweepJob], side_by_side: int
) -> Iterator[SweepJob]:
    """Yield the jobs that may begin now; one alone may begin, however much it takes."""
    taken, count = sum(jobs[name].stage.memory_mib for name in running), len(running)
    for job in [*waiting.values()]:
        fits = not count or taken + job.stage.memory_mib <= _machine_mib()
        if count < side_by_side and fits and all(jobs[name].stamp.exists() for name in job.behind):
            taken, count = taken + job.stage.memory_mib, count + 1
            yield job


def _machine_mib() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MIB


def _start(job: SweepJob) -> subprocess.Popen:
    with job.log.open("wb") as log:
        return subprocess.Popen(
            job.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=_end_with_parent
        )


def _end_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _say(job: SweepJob, code: int, ended: str) -> None:
    what = "done" if code == 0 else f"FAILED: {job.failure}"
    print(f"sweep: {ended}: {job.stage.name} {job.title}: {what}", flush=True)
