"""`python -m microstage.estimation`: a recording, and networks by kind of channel, to tables, files and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from microstage.errors import DatasetError
from microstage.estimation.drawing import draw, names
from microstage.estimation.events import events
from microstage.estimation.files import write
from microstage.estimation.networks import Network
from microstage.estimation.record import Record, Synchronous, read
from microstage.estimation.steps import Steps, steps
from microstage.estimation.tables import Result, listing, summary, table
from microstage.stage import Job, stage_main

__all__ = ["run"]

_UNSAID = "current"
"Whose network reads a channel that says neither; a remark says so."


def run(job: Job) -> None:
    p = job.parameters
    record = read(job.inputs["recording"] / p["file"], p["channel"], p["frequency"] or None)
    networks = {kind: Network(folder) for kind, folder in job.inputs.items() if kind != "recording"}
    _introduce(job, record)
    refused = dict(record.refused)
    laid = list(_laid(record, networks, refused))
    if not laid:
        reasons = "; ".join(f"{name}: {why}" for name, why in refused.items())
        raise DatasetError(f"{p['file']}: no channel of it can be estimated: {reasons}")
    results = _estimated(job, laid, networks)
    for result in results:
        _show(job, result, len(results))
    for name, why in refused.items():
        job.log(f"\n{name}: not estimated: {why}")
    job.log(
        "\nmean absolute difference from the full-window DFT (peak values), and THD of H3, H5 and H7:\n"
        + "\n".join(summary(results))
    )
    job.log("\n" + "\n".join(["events:", *listing(results)] if any(r.events for r in results) else ["no events"]))
    write(job.output, record, results, refused)
    for result, name in job.progress(zip(results, names(results)), len(results), "pictures"):
        draw(job.output / f"{name}.png", result, f"{p['file']}, {result.name}, {result.steps.channel.mains:.3f} Hz")


def _introduce(job: Job, record: Record) -> None:
    rate, count = record.channels[0].source.rate, len(record.channels[0].source.samples)
    channels, mains = len(record.channels), f"mains {record.mains:.4f} Hz (from {record.clearest})"
    job.log(
        f"{channels} {'channel' if channels == 1 else 'channels'}, {count / rate:.4g} s at {rate:g} samples/s, {mains}"
    )


def _laid(record: Record, networks: Mapping[str, Network], refused: dict[str, str]) -> Iterator[tuple[str, Steps]]:
    """(kind, windows) of each channel that a network is there for; why not, of the others, into `refused`."""
    for channel in record.channels:
        kind = channel.source.kind or _UNSAID
        try:
            yield kind, _windows(channel, kind, networks, record.nominal)
        except DatasetError as error:
            refused[channel.source.name] = str(error)


def _windows(channel: Synchronous, kind: str, networks: Mapping[str, Network], nominal: int) -> Steps:
    if kind not in networks:
        raise DatasetError(
            f"it is a {kind}, and there is no network for one; `make qcdq CHANNEL={kind}` with the same variables makes it."
        )
    network = networks[kind]
    channel.source.assert_held(f"channel {channel.source.name}", 2.0 ** network.gain.exponents[1])
    return steps(channel, network.length, network.hop, nominal)


def _estimated(job: Job, laid: list[tuple[str, Steps]], networks: Mapping[str, Network]) -> list[Result]:
    """All channels of a kind go through its network at once."""
    results: dict[str, Result] = {}
    for kind, network in networks.items():
        mine = [windows for of, windows in laid if of == kind]
        if not mine:
            continue
        runs = [run for windows in mine for run in windows.runs()]
        found = network.amplitudes(runs, partial(job.progress, label=kind))
        ends = np.cumsum([len(windows.time) for windows in mine])[:-1]
        for windows, amplitudes in zip(mine, np.split(found, ends)):
            results[windows.channel.source.name] = Result(windows, amplitudes, events(windows.channel))
    return [results[windows.channel.source.name] for _, windows in laid]


def _show(job: Job, result: Result, channels: int) -> None:
    steps_ = result.steps
    left_out = (
        f", {steps_.left_out} left out for touching one of {steps_.channel.missing} missing samples"
        if steps_.left_out
        else ""
    )
    unit = result.unit or "units of the file, read as a current is"
    said = f"{len(result.time)} windows{left_out}; full DFT over {steps_.cycles} cycles around each"
    job.log(f"\n{result.name}, peak values in {unit}: {said}")
    for remark in steps_.channel.source.remarks:
        job.log(remark)
    job.log("\n".join(table(result, channels)))


if __name__ == "__main__":
    raise SystemExit(stage_main("estimate-file", run))
