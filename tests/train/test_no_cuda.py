"""torch without CUDA: none is loaded, torch says so itself, and a call that gets as far as CUDA ends the process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch


def test_no_library_of_cuda_is_loaded_and_its_use_is_an_error():
    loaded = {Path(line.split()[-1]).name for line in Path("/proc/self/maps").read_text().splitlines() if "/" in line}
    assert not {name for name in loaded if name.startswith(("libcudnn", "libcublas", "libtorch_cuda_"))}
    libraries = Path(torch.__file__).parent / "lib"
    assert "libtorch_cuda.so" in loaded and (libraries / "libtorch_cuda.so").stat().st_size < 100_000
    assert not torch.cuda.is_available()
    with pytest.raises(RuntimeError, match="Cannot initialize CUDA"):
        torch.zeros(1, device="cuda")


def test_a_call_into_cuda_says_that_there_is_none_and_ends_with_code_70(capfd):
    child = os.fork()
    if child == 0:
        torch._C._cuda_sleep(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 70
    assert "this environment holds none of CUDA" in capfd.readouterr().err
