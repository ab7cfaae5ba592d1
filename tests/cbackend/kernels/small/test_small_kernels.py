"""Kernels for small machines equal NumPy on drawn shapes and at the extremes, on every core with its own instructions.

Each case runs twice, in memory filled with different values, once under a timer whose handler uses the stack.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from small_cases import Case, add_case, average_case, case_file, depthwise_case, xnor_case

from microstage_bench.emulators import MACHINES
from microstage_cbackend import kernels

DRIVER = Path(__file__).with_name("small_driver.c")
KERNELS = Path(kernels.__file__).parent
FLAGS = ["-std=gnu99", "-Wall", "-Wextra", "-Werror", f"-I{KERNELS}", f"-I{KERNELS / 'small'}"]
CORES = {machine.name: machine for machine in MACHINES if machine.name.startswith("cortex-m")}
CLANG = ("clang-16", "clang")


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    random = np.random.default_rng(20)
    found = [depthwise_case(random, requant=k % 2 == 1) for k in range(120)]
    found += [xnor_case(random, as_bits=k % 2 == 1) for k in range(30)]
    return found + [case for k in range(30) for case in (add_case(random, even=k % 2 == 1), average_case(random))]


@pytest.mark.parametrize(
    "core, compiler, level",
    [
        ("cortex-m0+", "gcc", "-Os"),
        ("cortex-m0+", "clang", "-O2"),
        ("cortex-m4", "gcc", "-O2"),
        ("cortex-m4", "clang", "-O2"),
        ("cortex-m7", "gcc", "-O3"),
        ("cortex-m33", "gcc", "-Os"),
    ],
)
def test_equal_on_a_core_with_little_stack_and_under_interrupts(cases, tmp_path, core, compiler, level):
    firmware = build(core, compiler, level, tmp_path)
    (tmp_path / "cases.bin").write_bytes(case_file(cases))
    command = [*CORES[core].emulator, str(firmware)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    ran = done.stdout.count("\n")
    assert done.returncode == 0, f"{done.returncode} at {cases[ran - 1].integers}: {done.stderr[-500:]}"
    data, at = (tmp_path / "result.bin").read_bytes(), 0
    for case in cases:
        y = case.buffers[1]
        found = np.frombuffer(data, y.dtype, y.size, at)
        at += y.nbytes
        assert np.array_equal(found, case.expected.ravel()), f"kernel {case.integers[0]}: {case.integers}"
    assert at == len(data)


def build(core: str, compiler: str, level: str, folder: Path) -> Path:
    """Link the driver as the firmware of `core`; skip where a tool is missing."""
    machine = CORES.get(core) or pytest.skip(f"no board for {core}")
    if machine.missing:
        pytest.skip(machine.missing)
    words = [machine.compiler]
    if compiler == "clang":
        clang = next(filter(shutil.which, CLANG), None) or pytest.skip("clang not installed")
        words = [clang, "--target=arm-none-eabi", "-fshort-enums", "-isystem", library_headers(machine.compiler)]
    unit, firmware = folder / "driver.o", folder / "firmware"
    subprocess.run([*words, *machine.flags, level, *FLAGS, "-c", DRIVER, "-o", unit], check=True)
    subprocess.run([machine.compiler, *machine.flags, unit, *machine.link, "-o", firmware], check=True)
    return firmware


def library_headers(gcc: str) -> str:
    """Return the folder of the C library's headers, which clang does not know."""
    said = subprocess.run([gcc, "-print-file-name=libc.a"], capture_output=True, text=True, check=True).stdout
    near = Path(said.strip()).resolve().parents[1] / "include"
    return str(near if near.is_dir() else "/usr/include/newlib")
