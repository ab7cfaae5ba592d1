"""Count the clocks of each layer, as the machine takes them where neither stream waits."""

from __future__ import annotations

from microstage_rtl.program.program import MachineLayer, MachineProgram
from microstage_rtl.program.words import WORDS

__all__ = ["cycles_of", "frame_cycles"]

_FETCH = WORDS + 3
"From the end of the layer before to the first step, or to the first beat of a frame."
_STORED = 14
"From a result's last step to its integer in memory, less what the sums before it in the lanes take."
_SENT = 1
_SEARCH = 8
"Of one result beside two clocks for each halving, where each waits for the one before it."
_SEARCH_STORED = 13


def cycles_of(layer: MachineLayer, lanes: int, starts: bool = False) -> int:
    """Return the clocks of a layer in a frame that starts a sequence, or in one that does not."""
    if layer.kind == "input":
        return _FETCH + layer.channels - 1
    if layer.on_start and not starts:
        return _FETCH - 1
    depth, groups = layer.depth, layer.groups
    if layer.flows:
        return _FETCH + depth * groups + _STORED
    of_one = 1 if layer.single else lanes
    per_row = 1 if layer.single else layer.counts[2]
    rest = layer.channels - (per_row - 1) * of_one if not layer.single else 1
    waits = [_after(layer, of_one)] * (per_row - 1) + [_after(layer, rest)]
    between = sum(max(depth, wait) for wait in waits) * (groups // per_row) - max(depth, waits[-1])
    return _FETCH + depth + between + waits[-1] - 1


def frame_cycles(program: MachineProgram, starts: bool = False) -> int:
    """Return the clocks from one frame to the next."""
    return sum(cycles_of(layer, program.lanes, starts) for layer in program.layers)


def _after(layer: MachineLayer, results: int) -> int:
    """Return the clocks from the last step of a group of so many results until the next group's may follow."""
    if layer.halvings:
        return _SEARCH_STORED + 2 * layer.halvings + (results - 1) * (_SEARCH + 2 * layer.halvings)
    return _STORED + results + (_SENT if layer.to_stream else 0)
