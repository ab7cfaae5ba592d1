"""Write the part of selftest.c that hears the sounds at the end of golden.bin.

It compares features and answers, and features of sound that comes hop by hop, behind another sound.
"""

from __future__ import annotations

from microstage_cbackend.vectors.plan import Plan
from microstage_cbackend.vectors.sounds import Sounds
from microstage_cbackend.writers.features import FeaturesApi

__all__ = ["SOUND", "SoundTest", "sound_test"]

SOUND = "sound."
"Prefix of a boundary that is computed from sound."
_STREAM = "stream."

_TEST = """
/* Sounds, which lie behind the vectors: features at once and hop by hop, and the answer. Returns a status, or -1 where
 * the file ends. */
static int test_sounds(FILE *file)
{
    static int16_t pcm[@SAMPLES@];
    static @TYPE@ features[@SIZE@];
@STATE@@OUTPUTS@
    if (fseek(file, @OFFSET@, SEEK_SET)) {
        return -1;
    }
@RESET@    for (long sound = 0; sound < @COUNT@; sound++) {
        for (long n = 0; n < @SAMPLES@; n++) {
            int64_t sample;
            if (!read_values(file, 2, 1, &sample)) {
                return -1;
            }
            pcm[n] = (int16_t)sample;
        }
        if (@READS@) {
            return -1;
        }
        @NAME@_status status = @NAME@_features(&ctx, pcm, features);
@COMPARED@
        if (status == @UPPER@_OK) {
            status = @NAME@_infer_sound(&ctx, pcm, @GIVEN@);
        }
@ANSWERS@
@PUSHES@        if (status != @UPPER@_OK) {
            return (int)status;
        }
    }
    return 0;
}
"""

_PUSHES = """        for (long n = 0; n < @SAMPLES@; n += @HOP@) {
            status = @NAME@_sound_push(&ctx, &heard, pcm + n);
        }
        if (status == @UPPER@_OK) {
            status = @NAME@_sound_features(&heard, features);
        }
@COMPARED@
"""


def sound_test(sound: FeaturesApi | None, plan: Plan) -> SoundTest | None:
    """Return the test of a network that hears, None of another."""
    return SoundTest(sound, plan, plan.sounds) if sound and plan.sounds else None


class SoundTest:
    """Hold `tallies` (the boundaries that are counted) and `call` (C in main, while the file is open)."""

    call = """    if (test_sounds(file)) {
        fprintf(stderr, "selftest: a sound was refused, or golden.bin ends before it\\n");
        return 2;
    }
"""

    def __init__(self, sound: FeaturesApi, plan: Plan, sounds: Sounds) -> None:
        self.sound, self.plan, self.sounds, self.given = sound, plan, sounds, sound.features.input
        self.tallies = [f"{SOUND}{name}" for name in [self.given, *sounds.outputs]]
        self.tallies += [f"{_STREAM}{self.given}"] if sound.streams else []

    def text(self, names: list[str]) -> str:
        """Return `test_sounds`; `names`: all tallies in order."""
        sound, size, array = self.sound, self.sound.input.size, self.plan.arrays[self.given]
        outputs = [(name, tensor, f"out_{n}") for n, (name, tensor) in enumerate(sound.outputs)]
        answers = [_compared(names, f"{SOUND}{name}", self.plan.arrays[name], t.size, own) for name, t, own in outputs]
        streamed = ""
        if sound.streams:
            features = _compared(names, f"{_STREAM}{self.given}", array, size, "features")
            streamed = _PUSHES.replace("@COMPARED@", features)
        words = {
            "PUSHES": streamed,
            "STATE": f"    static {sound.name}_sound heard;\n" if sound.streams else "",
            "OUTPUTS": "".join(f"    static {t.ctype} {own}[{t.size}];\n" for _, t, own in outputs),
            "RESET": f"    {sound.name}_sound_reset(&heard);\n" if sound.streams else "",
            "OFFSET": len(self.plan.data()) - len(self.sounds.data()),
            "COUNT": len(self.sounds.pcm),
            "READS": self._reads(),
            "GIVEN": ", ".join(own for *_, own in outputs),
            "COMPARED": _compared(names, f"{SOUND}{self.given}", array, size, "features"),
            "ANSWERS": "\n".join(answers),
            "SAMPLES": sound.features.samples,
            "HOP": sound.features.hop,
            "TYPE": sound.input.ctype,
            "SIZE": size,
            "NAME": sound.name,
            "UPPER": sound.upper,
        }
        text = _TEST
        for word, put in words.items():
            text = text.replace(f"@{word}@", str(put))
        return text

    def _reads(self) -> str:
        """Return the condition that the file ends before a sound's features and answers."""
        arrays = self.plan.arrays
        reads = [f"!read_values(file, 2, {self.sound.input.size}, {arrays[self.given]})"]
        reads += [f"!read_values(file, 4, {t.size}, {arrays[name]})" for name, t in self.sound.outputs]
        return " || ".join(reads)


def _compared(names: list[str], tally: str, array: str, size: int, found: str) -> str:
    """Return lines that compare `size` integers of an array with those `found`."""
    lines = [f"        for (long n = 0; n < {size}; n++) {{"]
    lines += [
        f"            compare(&tallies[{names.index(tally)}], sound, n, {array}[n], {found}[n]);",
        "        }",
    ]
    return "\n".join(lines)
