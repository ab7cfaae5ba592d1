"""C under clang's libFuzzer and sanitizers: the interpreter of network files, and what is generated for a network."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from microstage.errors import EnvironmentProblem, MicrostageError

__all__ = ["ADDRESSES", "UNSET", "assert_clang", "build", "build_interpreter"]

ADDRESSES = ("-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all")
UNSET = ("-fsanitize=fuzzer,memory", "-fno-sanitize-recover=all")
"What is read before it was written; not together with the others."


def assert_clang(scratch: Path) -> None:
    """Raise `EnvironmentProblem` where clang or its libFuzzer is not installed."""
    empty = scratch / "empty.c"
    empty.write_text("int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return !d && n; }\n")
    command = ["clang", ADDRESSES[0], str(empty), "-o", str(scratch / "empty")]
    if not shutil.which("clang") or subprocess.run(command, capture_output=True).returncode:
        raise EnvironmentProblem(
            "Fuzzing C needs clang with libFuzzer and its sanitizers: `apt-get install clang libclang-rt-14-dev` mends"
            " it."
        )


def build(sources: Sequence[Path], include: Sequence[Path], flags: Sequence[str], program: Path) -> Path:
    """Compile `sources` with a fuzzer's main into `program`, and return it."""
    words = [*(f"-I{folder}" for folder in include), *map(str, sources)]
    command = ["clang", "-std=c99", "-O1", "-g", *flags, *words, "-o", str(program), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise MicrostageError(f"clang refused {sources[0].name} for the fuzzer: {done.stderr.strip()[:2000]}")
    return program


def build_interpreter(repository: Path, scratch: Path) -> Path:
    """Return the program that opens a network file and runs all of it, without checksums."""
    kernels = repository / "stages" / "cbackend" / "microstage_cbackend" / "kernels"
    own = kernels.parent / "interpreter"
    sources = [repository / "tests" / "cbackend" / "interpreter" / "fuzz.c", *sorted(own.glob("*.c"))]
    flags = (*ADDRESSES, "-DMSN_DISPATCH=0", "-DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION")
    return build(sources, [own, kernels], flags, scratch / "interpreter")
