"""The process environment that a stage gets, in a container or not: what floating point and file contents depend on."""

from __future__ import annotations

from pathlib import Path

__all__ = ["PINNED", "stage_environment"]

# Two CPUs of different generations run the same instructions: ATen and OpenBLAS their AVX2 kernels, NumPy its baseline,
# MKL the compatible ones, as its AVX2 setting is ignored on some CPUs. NumPy ignores names that its build does not
# know.
# OpenBLAS' older kernels leave the upper halves of registers dirty, and MKL's SSE code then runs eight times slower.
# Memory that is freed stays with the process: a training step would otherwise fault in tens of megabytes anew.
# Threads that wait spin for a moment, then sleep: on a shared machine those of two runs otherwise take each other's
# cores, and everything takes many times as long.
PINNED = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "BREVITAS_JIT": "0",
    "GOMP_SPINCOUNT": "1000",
    "CUDA_HOME": "",  # torch looks for a compiler that it never uses, and says so on the terminal
    "CUDA_PATH": "",
    "LC_ALL": "C.UTF-8",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "33554432",
    "MALLOC_TOP_PAD_": "67108864",
    "MALLOC_TRIM_THRESHOLD_": "4294967296",
    "MKL_CBWR": "COMPATIBLE",
    "MKL_DYNAMIC": "FALSE",
    "MKL_NUM_THREADS": "2",
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL",
    "OMP_NUM_THREADS": "2",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENBLAS_CORETYPE": "HASWELL",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONUNBUFFERED": "1",
    "PYTHONWARNINGS": "ignore",
    "SOURCE_DATE_EPOCH": "0",
    "TZ": "UTC",
}


def stage_environment(scratch: Path) -> dict[str, str]:
    """Return the whole environment of a stage but for PATH and PYTHONPATH; `scratch` as the stage itself sees that
    folder.
    """
    home = {name: str(scratch / "home") for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR")}
    home |= {"USER": "microstage", "LOGNAME": "microstage"}  # a container's uid has no passwd entry to ask
    finn = {"FINN_BUILD_DIR": str(scratch / "finn"), "FINN_SETTINGS": str(scratch / "finn" / "settings.yaml")}
    return {**PINNED, **home, **finn}
