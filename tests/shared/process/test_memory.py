"""A stage has no more memory than it may have."""

import subprocess
import sys


def test_a_stage_that_wants_more_memory_than_it_may_have_ends_with_one_sentence(tmp_path):
    """Programs in C++ have no class for it; a process of its own, as the limit stays."""
    program = """
import sys
from microstage.process import memory
from microstage.stage import stage_main
memory._of_machine = lambda: 1 << 29
code = stage_main("toy", lambda job: bytearray(1 << 30), ["--out", sys.argv[1], "--scratch", sys.argv[2]])
raise SystemExit(code)
"""
    command = [sys.executable, "-c", program, str(tmp_path / "out"), str(tmp_path / "scratch")]
    done = subprocess.run(command, capture_output=True, text=True)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2 and line.startswith("microstage toy: This needs more memory than")
