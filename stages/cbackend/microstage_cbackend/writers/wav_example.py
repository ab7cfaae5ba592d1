"""Write a program for a PC that says what a network hears in a WAV file, as it would come from a microphone."""

from __future__ import annotations

from microstage_cbackend.writers.features import FeaturesApi

__all__ = ["wav_example"]

_FOLDER = "examples/wav"
_MAIN = """/* What @NAME@ hears in a WAV file (16 bits, mono, @RATE@ Hz): a line whenever the answer changes, looked \
at every
 * @EVERY@ samples. A file that is shorter than @SAMPLES@ samples ends in silence. With a second argument, the features
 * of its first window. */
#include <stdio.h>
#include <string.h>

#include "@NAME@_features.h"

static @NAME@_arena arena;
static const @NAME@_ctx ctx = {&arena};
static @NAME@_sound sound;
static @TYPE@ features[@SIZE@];
static @ANSWER_TYPE@ answer[@CLASSES@];

static unsigned long number(const unsigned char *bytes, int count)
{
    unsigned long value = 0;
    while (count--) {
        value = value << 8 | bytes[count];
    }
    return value;
}

/* The samples of an open file, at its first; 0 where it is no such file. */
static unsigned long samples_of(FILE *file)
{
    unsigned char head[12], format[16];
    int fits = 0;

    if (fread(head, 1, 12, file) != 12 || memcmp(head, "RIFF", 4) || memcmp(head + 8, "WAVE", 4)) {
        return 0;
    }
    while (fread(head, 1, 8, file) == 8) {
        const unsigned long size = number(head + 4, 4), padded = size + size % 2;
        if (!memcmp(head, "data", 4)) {
            return fits ? size / 2 : 0;
        }
        if (memcmp(head, "fmt ", 4)) {
            if (fseek(file, (long)padded, SEEK_CUR)) {
                return 0;
            }
            continue;
        }
        if (size < 16 || fread(format, 1, 16, file) != 16 || fseek(file, (long)(padded - 16), SEEK_CUR)) {
            return 0;
        }
        fits = number(format + 2, 2) == 1 && number(format + 4, 4) == @RATE@ && number(format + 14, 2) == 16;
    }
    return 0;
}

/* Reads @HOP@ samples, zeros behind the last; how many there were. */
static int read_hop(FILE *file, unsigned long *left, int16_t hop[@HOP@])
{
    unsigned char bytes[2 * @HOP@] = {0};
    const unsigned long wanted = *left < @HOP@ ? *left : @HOP@;
    const int count = (int)(fread(bytes, 2, wanted, file));

    *left -= wanted;
    for (int i = 0; i < @HOP@; i++) {
        const long value = i < count ? (long)number(bytes + 2 * i, 2) : 0;
        hop[i] = (int16_t)(value < 32768 ? value : value - 65536);
    }
    return count;
}

int main(int argc, char **argv)
{
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
    unsigned long left = file ? samples_of(file) : 0;
    int16_t hop[@HOP@];
    int32_t before = -1;
    long hops = 0, shown = 0;

    if (!left) {
        fprintf(stderr, "wav: expected a WAV file of 16 bits, mono, at @RATE@ Hz\\n");
        return 2;
    }
    @NAME@_sound_reset(&sound);
    while (read_hop(file, &left, hop) || hops < @HOPS@) {
        hops++;
        if (@NAME@_sound_push(&ctx, &sound, hop) != @UPPER@_OK || (hops - @HOPS@) % @LOOKS@) {
            continue;
        }
        if (@NAME@_sound_features(&sound, features) || @NAME@_infer(&ctx, features, answer)) {
            return 1;
        }
        if (@NAME@_class(answer) != before) {
            before = @NAME@_class(answer);
            printf("%.2f s: %s\\n", (double)hops * @HOP@ / @RATE@, @NAME@_classes[before]);
        }
        for (int i = 0; argc > 2 && !shown && i < @SIZE@; i++) {
            printf(i % @FRAMES@ == @FRAMES@ - 1 ? "%d\\n" : "%d ", features[i]);
        }
        shown = 1;
    }
    return fclose(file) != 0;
}
"""

_MAKEFILE = """# make; ./@NAME@_wav file.wav
CFLAGS ?= -O2 -Wall -Wextra

@NAME@_wav: wav.c @SOURCES@
	$(CC) -std=c99 $(CFLAGS) -I../.. -o $@ $^

clean:
	rm -f @NAME@_wav

.PHONY: clean
"""


def wav_example(sound: FeaturesApi | None, sources: list[str]) -> dict[str, str]:
    """Return path -> text; nothing of a network that hears no sound, has no classes, or takes no sound hop by hop."""
    if sound is None or not sound.has_wav:
        return {}
    f, (_, answer) = sound.features, sound.outputs[0]
    looks = max(1, f.rate // 10 // f.hop)  # ten times a second
    words = {
        "NAME": sound.name,
        "UPPER": sound.upper,
        "RATE": f.rate,
        "SAMPLES": f.samples,
        "HOP": f.hop,
        "HOPS": f.samples // f.hop,
        "TYPE": sound.input.ctype,
        "SIZE": sound.input.size,
        "ANSWER_TYPE": answer.ctype,
        "CLASSES": answer.size,
        "FRAMES": f.frames,
        "LOOKS": looks,
        "EVERY": looks * f.hop,
        "SOURCES": " ".join(f"../../{name}" for name in sources),
    }
    files = {"wav.c": _MAIN, "Makefile": _MAKEFILE}
    for word, put in words.items():
        files = {name: text.replace(f"@{word}@", str(put)) for name, text in files.items()}
    return {f"{_FOLDER}/{name}": text for name, text in files.items()}
