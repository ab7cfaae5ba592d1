"""Count the clocks of each layer, as the machine takes them where neither stream waits."""

from __future__ import annotations

from microstage_rtl.program.program import MachineLayer, MachineProgram
from microstage_rtl.program.words import WORDS

__all__ = ["frame_cycles", "layer_cycles"]

_FETCH = WORDS + 2
"From one layer's words to the next one's, at least: they are fetched while a layer runs."
_BEGIN = 2
"From a layer's words to its first step, or to the first beat of a frame."
_STORED = 14
"From a result's last step to its integer in memory, less what the sums before it in the lanes take."
_SENT = 1
_SEARCH = 8
"Of one result beside two clocks for each halving, where each waits for the one before it."
_SEARCH_STORED = 13


def layer_cycles(program: MachineProgram, starts: bool = False) -> list[int]:
    """Return the clocks of each layer in a frame that starts a sequence, or in one that does not."""
    now = 0
    begun: list[int] = []
    for layer in [*program.layers, program.layers[0]]:
        begun.append(max(now, begun[-1] + _FETCH) if begun else 0)
        now = begun[-1] + _BEGIN + _runs(layer, program.lanes, starts)
    return [later - earlier for earlier, later in zip(begun, begun[1:])]


def frame_cycles(program: MachineProgram, starts: bool = False) -> int:
    """Return the clocks from one frame to the next."""
    return sum(layer_cycles(program, starts))


def _runs(layer: MachineLayer, lanes: int, starts: bool) -> int:
    """Return the clocks from a layer's first step to where the machine goes on to the next layer."""
    if layer.kind == "input":
        return layer.channels - 1
    if layer.on_start and not starts:
        return -1
    depth, groups = layer.depth, layer.groups
    if layer.flows:
        return depth * groups + _STORED
    per_row = 1 if layer.single else layer.counts[2]
    of_one = 1 if layer.single else lanes
    rest = 1 if layer.single else layer.channels - (per_row - 1) * lanes
    waits = [_after(layer, of_one)] * (per_row - 1) + [_after(layer, rest)]
    between = sum(max(depth, wait) for wait in waits) * (groups // per_row) - max(depth, waits[-1])
    return depth + between + waits[-1] - 1


def _after(layer: MachineLayer, results: int) -> int:
    """Return the clocks from the last step of a group of so many results until the next group's may follow."""
    if layer.halvings:
        return _SEARCH_STORED + 2 * layer.halvings + (results - 1) * (_SEARCH + 2 * layer.halvings)
    return _STORED + results + (_SENT if layer.to_stream else 0)
