"""Compute what a network file means, in NumPy: the arena as bytes, layers by the meanings of their kernels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from microstage.errors import ParameterError
from microstage_cbackend.network_file.format.numbers import CALLS, PLACES, PROGRAMS
from microstage_cbackend.network_file.reading.file import NetworkFile
from microstage_cbackend.network_file.reading.layers import layer_of, result_places
from microstage_cbackend.network_file.writing.contents import dtype_of
from microstage_cbackend.program.interpret import MEANINGS

__all__ = ["FileMachine"]

_CALL_NAMES = {number: name for name, (number, _) in CALLS.items()}


class FileMachine:
    """Run the programs of a file that was read and checked, in an arena of its own."""

    def __init__(self, file: NetworkFile) -> None:
        self.file = file
        self.arena = np.zeros(int(file.header["arena_bytes"]), np.uint8)
        self._layers = [layer_of(file, record) for record in file.rows["LAYR"]]

    def faces(self, program: np.void) -> tuple[list[np.void], list[np.void]]:
        """Return the inputs and the outputs of a program or a part."""
        first, inputs, outputs = (int(program[name]) for name in ("first_face", "inputs", "outputs"))
        faces = list(self.file.rows["FACE"][first : first + inputs + outputs])
        return faces[:inputs], faces[inputs:]

    def program(self, kind: str, name: str = "") -> np.void:
        """Return the program of this kind (and name); `ParameterError` where there is none."""
        for program in self.file.rows["PROG"]:
            if program["kind"] == PROGRAMS[kind] and name in ("", self.file.text(int(program["name"]))):
                return program
        raise ParameterError(f"The network file has no program {kind}; --info lists those that it has.")

    def run(self, program: np.void, values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the outputs of `program` by name, int64, of inputs by name; `ParameterError` for one out of range."""
        inputs, outputs = self.faces(program)
        memory = [self.arena]
        for face in inputs:
            name = self.file.text(int(face["name"]))
            given = np.asarray(values[name], np.int64).ravel()
            if given.size != face["elements"] or given.min() < face["low"] or given.max() > face["high"]:
                raise ParameterError(
                    f"Input {name} takes {face['elements']} integers in {face['low']}..{face['high']}; given were "
                    f"{given.size} in {given.min()}..{given.max()}."
                )
            memory.append(given.astype(self._dtype(face)).view(np.uint8))
        memory += [np.zeros(int(face["elements"]), self._dtype(face)).view(np.uint8) for face in outputs]
        first, count = int(program["first_call"]), int(program["calls"])
        self._calls(self.file.rows["CALL"][first : first + count], memory)
        made = memory[1 + len(inputs) :]
        return {
            self.file.text(int(face["name"])): data.view(self._dtype(face)).astype(np.int64)
            for face, data in zip(outputs, made)
        }

    def _dtype(self, record: np.void) -> np.dtype:
        return dtype_of(self.file.ctype(record["ctype"]))

    def _calls(self, calls: np.ndarray, memory: list[np.ndarray]) -> None:
        at = 0
        while at < len(calls):
            inside, times = calls[at : at + 1], 1
            if _CALL_NAMES[int(calls[at]["kind"])] == "repeat":
                inside, times = calls[at + 1 : at + 1 + int(calls[at]["subject"])], int(calls[at]["count"])
                at += len(inside)
            for turn in range(times):
                for call in inside:
                    self._call(call, memory, turn)
            at += 1

    def _call(self, call: np.void, memory: list[np.ndarray], turn: int) -> None:
        first, count = int(call["first_argument"]), int(call["arguments"])
        places = []
        for argument in self.file.rows["ARGS"][first : first + count]:
            start = int(argument["offset"]) + turn * int(argument["advance"])
            places.append(memory[int(argument["base"])][start : start + int(argument["bytes"])])
        getattr(self, f"_{_CALL_NAMES[int(call['kind'])]}")(call, places)

    def _run(self, call: np.void, places: list[np.ndarray]) -> None:
        part = self.file.rows["PART"][int(call["subject"])]
        first, count = int(part["first_layer"]), int(part["layers"])
        for number in range(first, first + count):
            self._layer(number, places)

    def _zero(self, call: np.void, places: list[np.ndarray]) -> None:
        places[0][:] = 0

    def _typed(self, call: np.void, which: str, place: np.ndarray) -> np.ndarray:
        return place.view(dtype_of(self.file.ctype(call[f"{which}_type"])))

    def _move(self, call: np.void, places: list[np.ndarray]) -> None:
        to = self._typed(call, "to", places[1])
        to[:] = self._typed(call, "from", places[0]).astype(to.dtype)

    def _turn(self, call: np.void, places: list[np.ndarray], most: np.ndarray | None = None) -> None:
        values = self._typed(call, "from", places[0]).astype(np.int64)
        difference = int(places[2].view(np.int8)[0]) - int(places[3].view(np.int8)[0])
        down, up = min(max(difference, 0), 32), min(max(-difference, 0), 31)
        turned = (-values << up) + (1 << down >> 1) >> down
        most = np.int64(call["most"]) if most is None else most
        to = self._typed(call, "from", places[1])
        to[:] = np.clip(turned, -most, most).astype(to.dtype)

    def _turn_sum(self, call: np.void, places: list[np.ndarray]) -> None:
        counts = self._typed(call, "to", places[4]).astype(np.int64)
        self._turn(call, places, counts[np.arange(int(call["count"])) % int(call["subject"])] * int(call["most"]))

    def _forget(self, call: np.void, places: list[np.ndarray]) -> None:
        counts, sums = self._typed(call, "from", places[0]), self._typed(call, "to", places[1])
        full = counts >= int(call["most"])
        many = np.tile(full, sums.size // counts.size)
        sums[many] = (sums[many].astype(np.int64) + 1 >> 1).astype(sums.dtype)
        counts[full] = int(call["most"]) >> 1

    def _memory(self, number: int, arguments: list[np.ndarray]) -> np.ndarray:
        """Return the elements of a tensor, where they lie."""
        record = self.file.rows["TENS"][number]
        if record["place"] in (PLACES["constant"], PLACES["packed"]):
            return self.file.values(number)
        held, start = self.arena, int(record["offset"])
        if record["place"] == PLACES["argument"]:
            held, start = arguments[start], 0
        dtype = self._dtype(record)
        return held[start : start + int(record["elements"]) * dtype.itemsize].view(dtype)

    def _layer(self, number: int, arguments: list[np.ndarray]) -> None:
        layer, record = self._layers[number], self.file.rows["LAYR"][number]
        operands = []
        for tensor, place, start in zip(layer.inputs, record["operands"], record["starts"]):
            if tensor.data is not None:
                operands.append(
                    tensor.data.ravel()
                    if tensor.data.dtype.kind == "u" and tensor.ctype == "uint64_t"
                    else tensor.data.ravel().astype(np.int64)
                )
            else:
                operands.append(_wide(self._memory(int(place), arguments)[int(start) :]))
        output = self._memory(int(record["operands"][3]), arguments)
        start = int(record["starts"][3])
        held = _wide(output)[start:]
        result = MEANINGS[layer.kernel](layer, operands, held)
        if result is not None:
            values = np.asarray(result).ravel()
            held[result_places(layer, values.size)] = values
        output[start:] = held.view(output.dtype) if output.dtype.kind == "u" and output.itemsize == 8 else held


def _wide(values: np.ndarray) -> np.ndarray:
    """Return a copy as int64, words of signs bit by bit."""
    return values.view(np.int64).copy() if values.dtype == np.uint64 else values.astype(np.int64)
