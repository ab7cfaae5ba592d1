"""`python -m microstage.estimation`: a recording, and networks by kind of channel, to tables, files and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from microstage.errors import DatasetError
from microstage.estimation.drawing import draw, names
from microstage.estimation.events import events
from microstage.estimation.files import write
from microstage.estimation.networks import HarmonicEstimator
from microstage.estimation.record import KINDS, Record, Synchronous, read
from microstage.estimation.steps import Steps, steps
from microstage.estimation.tables import ChannelResult, listing, summary, table
from microstage.stage import Job, stage_main

__all__ = ["run"]

Laid = tuple[str, Steps]  # the kind of network that reads a channel, and its windows

_UNSAID = "current"
"Whose network reads a channel that says neither; a remark says so."


def run(job: Job) -> None:
    p = job.parameters
    record = read(job.inputs["recording"] / p["file"], p["channel"], p["frequency"] or None)
    networks = {kind: HarmonicEstimator(folder) for kind, folder in job.inputs.items() if kind != "recording"}
    _introduce(job, record)
    laid, refused = _laid(p["file"], record, networks, named=p["channel"] not in ("", *KINDS))
    results = _estimated(job, laid, networks)
    _show(job, results, refused)
    write(job.output, record, results, refused)
    for result, name in job.progress(zip(results, names(results)), len(results), "pictures"):
        draw(job.output / f"{name}.png", result, f"{p['file']}, {result.name}, {result.steps.channel.mains:.3f} Hz")


def _introduce(job: Job, record: Record) -> None:
    rate, count = record.channels[0].source.rate, len(record.channels[0].source.samples)
    channels = f"{len(record.channels)} channel{'' if len(record.channels) == 1 else 's'}"
    mains = f"mains {record.mains:.4f} Hz (from {record.clearest})"
    job.log(f"{channels}, {count / rate:.4g} s at {rate:g} samples/s, {mains}")


def _laid(
    file: str, record: Record, networks: Mapping[str, HarmonicEstimator], named: bool
) -> tuple[list[Laid], dict[str, str]]:
    """Return (each channel that can be estimated, {channel: why not} of the others).

    `DatasetError` for one that was `named`, or where none can.
    """
    laid, refused = [], dict(record.refused)
    for channel in record.channels:
        kind = channel.source.kind or _UNSAID
        try:
            laid.append((kind, _windows(channel, kind, networks, record.nominal)))
        except DatasetError as error:
            if named:
                raise DatasetError(f"{file}, channel {channel.source.name}: {error}") from None
            refused[channel.source.name] = str(error)
    if not laid:
        reasons = "; ".join(f"{name}: {why}" for name, why in refused.items())
        raise DatasetError(f"{file}: no channel of it can be estimated: {reasons}")
    return laid, refused


def _windows(channel: Synchronous, kind: str, networks: Mapping[str, HarmonicEstimator], nominal: int) -> Steps:
    if kind not in networks:
        raise DatasetError(
            f"it is a {kind}, and there is no network for one; `make qcdq CHANNEL={kind}` with the same variables "
            "makes it."
        )
    network = networks[kind]
    channel.source.assert_held(f"channel {channel.source.name}", 2.0 ** network.gain.exponents[1])
    return steps(channel, network.length, network.hop, nominal)


def _estimated(job: Job, laid: Sequence[Laid], networks: Mapping[str, HarmonicEstimator]) -> list[ChannelResult]:
    """Estimate all channels of a kind at once, by the network of that kind."""
    results: dict[str, ChannelResult] = {}
    for kind, network in networks.items():
        mine = [windows for of, windows in laid if of == kind]
        if not mine:
            continue
        runs = [run for windows in mine for run in windows.runs()]
        found = network.amplitudes(runs, partial(job.progress, label=kind))
        ends = np.cumsum([len(windows.time) for windows in mine])[:-1]
        for windows, amplitudes in zip(mine, np.split(found, ends)):
            results[windows.channel.source.name] = ChannelResult(windows, amplitudes, events(windows.channel))
    return [results[windows.channel.source.name] for _, windows in laid]


def _show(job: Job, results: Sequence[ChannelResult], refused: Mapping[str, str]) -> None:
    for result in results:
        job.log("\n".join(["", _heading(result), *result.steps.channel.source.remarks, *table(result, len(results))]))
    for name, why in refused.items():
        job.log(f"\n{name}: not estimated: {why}")
    job.log("\nmean absolute difference from the full-window DFT (peak values), and THD of H3, H5 and H7:")
    job.log("\n".join(summary(results)))
    job.log(
        "\n".join(["", "events:", *listing(results)] if any(result.events for result in results) else ["", "no events"])
    )


def _heading(result: ChannelResult) -> str:
    windows, missing = result.steps, result.steps.channel.missing
    left_out = (
        f", {windows.left_out} left out for touching one of {missing} missing samples" if windows.left_out else ""
    )
    unit = result.unit or "units of the file, read as a current is"
    said = f"{len(result.time)} windows{left_out}; full DFT over {windows.cycles} cycles around each"
    return f"{result.name}, peak values in {unit}: {said}"


if __name__ == "__main__":
    raise SystemExit(stage_main("estimate-file", run))
