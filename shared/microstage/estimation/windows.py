"""First step: a recording, resampled to its own mains frequency, as windows of integers beside the full-window DFT."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from microstage import golden
from microstage.datasets.recordings import Waveform, read_waveform
from microstage.errors import DatasetError
from microstage.estimation.files import WINDOWS
from microstage.roles import Gain
from microstage.signals import EXPONENTS, SAMPLES_PER_CYCLE, block_float, harmonic_amplitudes, windows
from microstage.signals.synchronous import fundamental_frequency, place, synchronise_around_gaps
from microstage.stage import Job, stage_main

__all__ = ["cut", "run"]

_KINDS = ("current", "voltage")
_BLOCK_CYCLES = {50: 10, 60: 12}
_UNSAID = "units of the file"
_HOP = 8  # samples between windows, an eighth of a cycle
_MOST = 4096  # windows of one record; a longer record is looked at less often


def run(job: Job) -> None:
    p = job.parameters
    path = job.inputs["recording"] / p["file"]
    length = json.loads((job.inputs["model"] / "model_def.json").read_text())["samples"]
    waveform = _waveform(path, p["channel"])
    for remark in waveform.remarks:
        job.log(remark)
    gain = Gain.read(json.loads((job.inputs["model"] / "interface.json").read_text()))
    exponents = gain.exponents if gain else EXPONENTS
    waveform.assert_held(f"{p['file']}, channel {p['channel']}", 2.0 ** exponents[1])
    try:
        arrays = cut(waveform, length, p["frequency"], exponents)
    except DatasetError as error:
        raise DatasetError(f"{p['file']}, channel {p['channel']}: {error}") from None
    golden.save(job.output / WINDOWS, {**arrays, "unit": np.array(waveform.unit or _UNSAID)})


def _waveform(path: Path, channel: str) -> Waveform:
    """The channel "current", "voltage" (the first that is one), or the one of that name."""
    return read_waveform(path, channel, gaps=True) if channel in _KINDS else read_waveform(path, None, channel, gaps=True)


def cut(waveform: Waveform, length: int, nominal: int, exponents: tuple[int, int] = EXPONENTS) -> dict[str, np.ndarray]:
    """What the next steps need of a record: {"window" int8 [n, length], "exponent" [n], "time" [n] in s, "dft" [n, 4], ...}.

    "dft" are peak amplitudes over 10 or 12 cycles around each window, or all whole cycles of a shorter record, shifted inwards
    at its ends; NaN where that stretch touches missing samples. Windows that do are left out and counted in "left_out".
    """
    x, rate = waveform.samples, waveform.rate
    mains = fundamental_frequency(x, rate, nominal)
    samples, known = synchronise_around_gaps(x, rate, mains)
    cycles = min(_BLOCK_CYCLES[nominal], len(samples) // SAMPLES_PER_CYCLE)
    if len(samples) < length or not cycles:
        left, needed = len(samples) / SAMPLES_PER_CYCLE, length / SAMPLES_PER_CYCLE
        raise DatasetError(f"{left:.3g} cycles are left after resampling; the window needs {needed:g}.")
    hop = max(_HOP, -(-(len(samples) - length + 1) // _MOST))
    starts = np.arange(0, len(samples) - length + 1, hop)
    whole = windows(known, length, hop).all(-1)
    if not whole.any():
        raise DatasetError(f"all {len(whole)} windows touch missing samples.")
    kept = starts[whole]
    integers, exponent = block_float(windows(samples, length, hop)[whole], exponents)
    return {
        "window": integers, "exponent": exponent, "dft": _dft(samples, known, kept + length // 2, cycles),
        "time": place(kept + (length - 1) / 2, rate / mains) / rate, "mains": np.array(mains), "rate": np.array(rate),
        "cycles": np.array(cycles), "left_out": np.array((~whole).sum()), "missing": np.array((~np.isfinite(x)).sum()),
    }


def _dft(samples: np.ndarray, known: np.ndarray, centre: np.ndarray, cycles: int) -> np.ndarray:
    span = cycles * SAMPLES_PER_CYCLE
    start = np.clip(centre - span // 2, 0, len(samples) - span)
    amplitudes = harmonic_amplitudes(windows(samples, span)[start], cycles)
    return np.where(windows(known, span)[start].all(-1)[:, None], amplitudes, np.nan)


if __name__ == "__main__":
    raise SystemExit(stage_main("estimate-file", run))
