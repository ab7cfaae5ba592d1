"""What a page says of a recording that networks have read: each channel beside two DFTs, and what happened on it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["facts_of_recording"]

_METHODS = {"network": "the network", "half": "half-cycle DFT"}


def facts_of_recording(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of the folder `asked["recording"]`, which `make estimate-file` wrote."""
    folder = Path(asked["recording"])
    found = json.loads((folder / "summary.json").read_text())
    channels = found["channels"]
    windows = sum(channel["windows"] for channel in channels.values())
    count = f"{len(channels)} {'channel' if len(channels) == 1 else 'channels'}"
    sentence = f"{count} of {asked['called']}: harmonics over time in {windows:,} windows, beside two DFTs."
    return {
        "title": asked["called"],
        "kind": "harmonic",
        "verdict": {"state": "Estimated", "sentence": sentence, "notes": [*_notes(found)]},
        "accuracy": {"rows": [row for name, channel in channels.items() for row in _differences(name, channel)]},
        "provenance": {"rows": [*_provenance(found, folder, asked["networks"])]},
        "command": asked["command"],
    }


def _differences(name: str, channel: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield how far each method is from the DFT of many cycles, harmonic by harmonic, and what distortion it finds."""
    for method, errors in channel["mean_absolute_difference_from_full_dft"].items():
        for harmonic, error in errors.items():
            if error is not None:
                figure = f"{name}, {harmonic}: mean difference from the DFT of {channel['cycles_of_full_dft']} cycles"
                yield _row(method, figure, error, channel["unit"])
    for method in _METHODS:
        if (distortion := channel["thd_percent"].get(method)) is not None:
            yield _row(method, f"{name}: total harmonic distortion", distortion, "%")


def _row(method: str, figure: str, value: float, unit: str) -> dict[str, Any]:
    ours = method == "network"
    return {"what": _METHODS[method], "figure": figure, "value": float(f"{value:.6g}"), "unit": unit, "ours": ours}


def _notes(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield every event and remark, and the channels that were not read."""
    for name, channel in found["channels"].items():
        for event in channel["events"]:
            yield f"{name}, {event['start']:.3f} to {event['end']:.3f} s: {event['kind']}, {event['said']}"
        yield from (f"{name}: {remark}" for remark in channel["remarks"])
    yield from (f"{name} was not read: {reason}" for name, reason in found["refused"].items())


def _provenance(found: Mapping[str, Any], folder: Path, networks: Mapping[str, str]) -> Iterator[dict[str, str]]:
    yield {"what": "folder with tables and pictures", "value": str(folder)}
    yield {"what": "frequency of the mains", "value": f"{found['mains']:g} Hz, nominal {found['nominal']} Hz"}
    for kind, said in networks.items():
        yield {"what": f"network for {kind}", "value": said}
