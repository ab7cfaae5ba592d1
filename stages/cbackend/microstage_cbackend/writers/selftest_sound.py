"""The part of selftest.c that hears the sounds at the end of golden.bin: features, answers, and features of sound that
comes hop by hop, behind another sound."""

from __future__ import annotations

from microstage_cbackend.vectors.plan import Plan
from microstage_cbackend.writers.features import FeaturesApi

__all__ = ["SOUND", "call", "tallies", "test"]

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


def tallies(sound: FeaturesApi, plan: Plan) -> list[str]:
    """The boundaries that are counted."""
    if plan.sounds is None:
        return []
    streamed = [f"{_STREAM}{sound.features.input}"] if sound.streams else []
    return [*(f"{SOUND}{name}" for name in [sound.features.input, *plan.sounds.outputs]), *streamed]


def test(sound: FeaturesApi, plan: Plan, names: list[str]) -> str:
    """`test_sounds`, called once."""
    if plan.sounds is None:
        return ""
    given, size = sound.features.input, sound.input.size
    outputs = [(name, tensor, f"out_{n}") for n, (name, tensor) in enumerate(sound.outputs)]
    reads = [
        f"!read_values(file, 2, {size}, {plan.arrays[given]})",
        *(f"!read_values(file, 4, {t.size}, {plan.arrays[name]})" for name, t, _ in outputs),
    ]
    text = _TEST.replace(
        "@PUSHES@",
        _PUSHES.replace("@COMPARED@", _compared(names, f"{_STREAM}{given}", plan.arrays[given], size, "features"))
        if sound.streams
        else "",
    )
    words = {
        "STATE": f"    static {sound.name}_sound heard;\n" if sound.streams else "",
        "OUTPUTS": "".join(f"    static {t.ctype} {own}[{t.size}];\n" for _, t, own in outputs),
        "RESET": f"    {sound.name}_sound_reset(&heard);\n" if sound.streams else "",
        "OFFSET": len(plan.data()) - len(plan.sounds.data()),
        "COUNT": len(plan.sounds.pcm),
        "READS": " || ".join(reads),
        "GIVEN": ", ".join(own for *_, own in outputs),
        "COMPARED": _compared(names, f"{SOUND}{given}", plan.arrays[given], size, "features"),
        "ANSWERS": "\n".join(
            _compared(names, f"{SOUND}{name}", plan.arrays[name], t.size, own) for name, t, own in outputs
        ),
        "SAMPLES": sound.features.samples,
        "HOP": sound.features.hop,
        "TYPE": sound.input.ctype,
        "SIZE": size,
        "NAME": sound.name,
        "UPPER": sound.upper,
    }
    for word, put in words.items():
        text = text.replace(f"@{word}@", str(put))
    return text


def call(plan: Plan) -> str:
    """Its call in main, while the file is open."""
    if plan.sounds is None:
        return ""
    return """    if (test_sounds(file)) {
        fprintf(stderr, "selftest: a sound was refused, or golden.bin ends before it\\n");
        return 2;
    }
"""


def _compared(names: list[str], tally: str, array: str, size: int, found: str) -> str:
    lines = [f"        for (long n = 0; n < {size}; n++) {{"]
    lines += [
        f"            compare(&tallies[{names.index(tally)}], sound, n, {array}[n], {found}[n]);",
        "        }",
    ]
    return "\n".join(lines)
