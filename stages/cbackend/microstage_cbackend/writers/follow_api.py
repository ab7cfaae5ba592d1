"""Write <model>_follow.h and .c: a waveform at any rate, brought to as many samples a cycle as the network takes."""

from __future__ import annotations

from microstage_cbackend.kernels.layouts import fast_files
from microstage_cbackend.writers.follow_table import follow_table
from microstage_cbackend.writers.names import CPLUSPLUS
from microstage_cbackend.writers.sample_stream import SampleStream
from microstage_cbackend.writers.signatures import signature

__all__ = ["FollowApi", "follow_api"]

_ROOM = 2
"Places between the largest sample and the largest that the network takes, for what overshoots between samples."
_FOLLOWER = (8, 640)
"Alignment and bytes of ms_follower."


def follow_api(waveform: SampleStream) -> FollowApi | None:
    """Return the functions, None where the interface does not say how many samples a cycle has."""
    return FollowApi(waveform) if waveform.gain.samples_per_cycle > 0 else None


class FollowApi:
    """Write the functions on samples of any rate, which call those on real samples of `waveform`."""

    kind = "_follow"

    def __init__(self, waveform: SampleStream) -> None:
        self.waveform, self.name, self.upper = waveform, waveform.name, waveform.upper
        self.cycle = waveform.gain.samples_per_cycle

    @property
    def follower_bytes(self) -> int:
        """Count the bytes of what is carried from sample to sample."""
        alignment, size = _FOLLOWER
        return -(-(size + self.waveform.stream_bytes(4)) // alignment) * alignment

    def prototypes(self) -> dict[str, list[str]]:
        """Return {header: its functions}, for the README."""
        return {f"{self.name}_follow.h": [self._start_signature(), self._follow_signature()]}

    def files(self) -> dict[str, str]:
        """Return file name -> text."""
        own = {f"{self.name}_follow.h": self._header(), f"{self.name}_follow.c": self._source()}
        return own | {f"{self.name}_follow_table.h": follow_table(self.name, self.cycle)} | fast_files("ms_follow.h")

    def _start_signature(self) -> str:
        return signature(
            f"{self.name}_status",
            f"{self.name}_follow_start",
            [f"{self.name}_follower *follower", "float rate", "float nominal"],
        )

    def _follow_signature(self) -> str:
        arguments = [
            f"const {self.name}_ctx *ctx",
            f"{self.name}_follower *follower",
            "float sample",
            f"float answer[{self.waveform.values}]",
        ]
        return signature(f"{self.name}_status", f"{self.name}_follow", arguments)

    def _header(self) -> str:
        guard, highest = f"{self.upper}_FOLLOW_H", self.waveform.gain.exponents[1] - _ROOM
        lines = [
            f"/* {self.name} on real samples that come at any rate, from 32 to 600 in a cycle: brought to "
            f"{self.cycle} a cycle of the mains, whose",
            " * frequency is followed, from a fourth below the nominal one to a third above it.",
            " *",
            " * It is found within four cycles. Beside samples that are exactly so many a cycle harmonics up to the "
            "seventh differ by 0.03 %,",
            " * by 0.06 % while the frequency moves by 1 Hz a second. Answers come up to six samples later, or 4.8 of "
            "the network's.",
            " */",
            f"#ifndef {guard}",
            f"#define {guard}",
            "",
            f'#include "{self.name}_float.h"',
            "",
            *fast_files("ms_follower.h")["ms_follower.h"].rstrip().splitlines(),
            "",
            *CPLUSPLUS[0],
            "",
            f"/* A waveform as it comes, {self.follower_bytes} bytes; mains.frequency is what is found, in Hz. */",
            f"typedef struct {{ ms_follower mains; {self.name}_stream stream; }} {self.name}_follower;",
            "",
            "/* Begins a waveform of `rate` samples a second, of mains of nominally so many Hz;",
            f" * {self.upper}_OUT_OF_RANGE where these are fewer than 32 samples a cycle, or more than 600. */",
            f"{self._start_signature()};",
            f"/* Takes one sample. {self.upper}_OK: the answer to a half cycle, or what else a window is, has come;",
            f" * {self.upper}_WAITING: none yet. A sample beyond 2^{highest}, infinite or no number, is refused,",
            f" * {self.upper}_OUT_OF_RANGE, and nothing changes: give another in its place. */",
            f"{self._follow_signature()};",
        ]
        return "\n".join([*lines, "", *CPLUSPLUS[1], "", "#endif", ""])

    def _source(self) -> str:
        includes = [
            f'#include "{self.name}_follow.h"',
            "",
            "#include <stddef.h>",
            "",
            '#include "ms_gain.h"',
            f'#include "{self.name}_follow_table.h"',
            "",
            '#include "ms_follow.h"',
        ]
        return "\n".join([*includes, *self._start(), *self._follow(), ""])

    def _start(self) -> list[str]:
        """Return the lines of the function that begins a waveform."""
        started = f"ms_follow_start(&follower->mains, rate, nominal) ? {self.upper}_OK : {self.upper}_OUT_OF_RANGE"
        return [
            "",
            self._start_signature(),
            "{",
            "    if (!follower) {",
            f"        return {self.upper}_NULL;",
            "    }",
            f"    {self.name}_reset(&follower->stream);",
            f"    return {started};",
            "}",
        ]

    def _follow(self) -> list[str]:
        """Return the lines of the function that takes one sample."""
        name, highest = self.name, self.waveform.gain.exponents[1] - _ROOM
        return [
            "",
            self._follow_signature(),
            "{",
            "    if (!ctx || !follower || !answer) {",
            f"        return {self.upper}_NULL;",
            "    }",
            f"    if (!ms_is_sample(sample, {highest}) || !(follower->mains.step > 0)) {{",
            f"        return {self.upper}_OUT_OF_RANGE;",
            "    }",
            f"    {name}_status status = {self.upper}_WAITING;",
            "    float at;",
            "",
            "    ms_follow_put(&follower->mains, sample);",
            "    while (ms_follow_next(&follower->mains, &at)) {",
            f"        const {name}_status found = {name}_push(ctx, &follower->stream, at, answer);",
            f"        status = found == {self.upper}_WAITING ? status : found;",
            "    }",
            "    return status;",
            "}",
        ]
