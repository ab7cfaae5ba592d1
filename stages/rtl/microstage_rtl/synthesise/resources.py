"""What a netlist takes of a device, and whether it fits."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from microstage_rtl.synthesise.devices import Device

__all__ = ["does_not_fit", "taken"]


def taken(cells: Mapping[str, int], device: Device) -> dict[str, int]:
    """Return {resource: how many} of the cells {type: count}; a resource that none takes is 0."""
    found = dict.fromkeys((resource for resource, _ in device.takes.values()), 0.0)
    for cell, count in cells.items():
        for pattern, (resource, each) in device.takes.items():
            if fnmatchcase(cell, pattern):
                found[resource] += each * count
    return {resource: round(count) for resource, count in found.items()}


def does_not_fit(takes: Mapping[str, int], device: Device) -> str:
    """Return the sentence that says by how much it does not fit; "" where it may."""
    over = [f"{takes[name]:,} {name} of {has:,}" for name, has in device.has.items() if takes.get(name, 0) > has]
    return f"It does not fit {device.name}, for it takes {', '.join(over)}." if over else ""
