"""Hold the C of writers/features.py, with @WORDS@ that it fills in."""

from __future__ import annotations

__all__ = [
    "CLASSES",
    "CLASSES_HEADER",
    "HEADER",
    "README",
    "README_STREAM",
    "README_WAV",
    "SOURCE",
    "STREAM",
    "STREAM_HEADER",
]

HEADER = """/* Sound for @NAME@: 16-bit samples at @RATE@ Hz in, mono; its features, or its answer, out. Integers alone.
 *
 * Features are mel-frequency cepstra of @SAMPLES@ samples, of any loudness: @FRAMES@ frames of @WINDOW@ samples every \
@HOP@, @BANDS@ bands
 * from @LOWEST@ to @HIGHEST@ Hz, @COUNT@ coefficients, coefficient by coefficient, as the network's integers: @RANGE@ \
at scale
 * @SCALE@. They are the bytes that it was trained on, but for some that lie on the border between two levels.
 *
 * Working memory is the arena of the context. A function returns @UPPER@_OK or @UPPER@_NULL (a pointer is null).
 */
#ifndef @UPPER@_FEATURES_H
#define @UPPER@_FEATURES_H

#include "@NAME@.h"

@OPEN@

#define @UPPER@_RATE @RATE@
#define @UPPER@_SAMPLES @SAMPLES@

@FEATURES@;

/* Features, then the network. */
@INFER@;
@STREAM_HEADER@@CLASSES_HEADER@
@CLOSE@

#endif
"""

STREAM_HEADER = """
/* Sound as it comes, @HOP@ samples at a time: @STREAM_BYTES@ bytes, in which the last @SAMPLES@ samples are bands. */
#define @UPPER@_HOP @HOP@
typedef struct {
    uint32_t bands[@FRAMES@ * @BANDS@];
    int16_t samples[@HELD@ * @HOP@], largest[@HOPS@];
    int32_t frame, hop, filled;
} @NAME@_sound;

@RESET@;
/* Takes a hop: @UPPER@_OK, or @UPPER@_SOUND_WAITING until @SAMPLES@ samples are there. */
#define @UPPER@_SOUND_WAITING ((@NAME@_status)4)
@PUSH@;
/* The features of the last @SAMPLES@ samples, byte for byte those of @NAME@_features, or @UPPER@_SOUND_WAITING. */
@HEARD@;
"""

SOURCE = """/* @NAME@ on sound; see @NAME@_features.h. */
#include "@NAME@_features.h"

#include <stddef.h>

enum { MS_WINDOW = @WINDOW@, MS_HALF = @HALF@, MS_BANDS = @BANDS@, MS_FIRST = @FIRST@, MS_WEIGHT = @WEIGHT@ };
enum { MS_SAMPLES = @SAMPLES@, MS_HOP = @HOP@, MS_FRAMES = @FRAMES@, MS_COEFFICIENTS = @COUNT@, MS_SHIFT = @SHIFT@ };
@TABLES@

#include "ms_cepstra.h"

/* The largest of samples, and of `largest`. */
static int32_t largest_of(const int16_t *pcm, int32_t count, int32_t largest)
{
    for (int32_t i = 0; i < count; i++) {
        largest = pcm[i] > largest ? pcm[i] : largest;
    }
    return largest;
}

/* Levels of one frame, from its bands and the largest sample of all frames, to every FRAMESth place. */
static void levels_of(const uint32_t *bands, int32_t largest, @TYPE@ *features)
{
    const uint64_t floor = (uint64_t)largest * @FLOOR@u;
    const int64_t ln = ms_ln((uint64_t)largest);
    int32_t logarithms[MS_BANDS];

    for (int32_t n = 0; n < MS_BANDS; n++) {
        logarithms[n] = ms_logarithm(bands[n], floor, ln);
    }
    for (int32_t k = 0; k < MS_COEFFICIENTS; k++) {
        int64_t level = (int64_t)1 << (MS_SHIFT - 1);
        for (int32_t n = 0; n < MS_BANDS; n++) {
            level += ms_times(cosines[k * MS_BANDS + n], logarithms[n]);
        }
        level >>= MS_SHIFT;
        features[k * MS_FRAMES] = (@TYPE@)((level < @LOW@ ? @LOW@ : level > @HIGH@ ? @HIGH@ : level)@ZERO@);
    }
}

@FEATURES@
{
    if (!ctx || !ctx->arena || !pcm || !features) {
        return @UPPER@_NULL;
    }
    const int32_t largest = largest_of(pcm, MS_SAMPLES, 1);
    uint32_t bands[MS_BANDS];
    for (int32_t frame = 0; frame < MS_FRAMES; frame++) {
        ms_frame(pcm + frame * MS_HOP, (int32_t *)ctx->arena->words, bands);
        levels_of(bands, largest, features + frame);
    }
    return @UPPER@_OK;
}

@INFER@
{
    @TYPE@ features[@SIZE@];
    const @NAME@_status status = @NAME@_features(ctx, pcm, features);
    return status == @UPPER@_OK ? @NAME@_infer(ctx, features, @ANSWERS@) : status;
}
@STREAM@@CLASSES@"""

STREAM = """
enum { MS_HOPS = @HOPS@, MS_HELD = @HELD@ * MS_HOP };

@RESET@
{
    *sound = (@NAME@_sound){{0}, {0}, {0}, 0, 0, 0};
}

@PUSH@
{
    if (!ctx || !ctx->arena || !sound || !hop) {
        return @UPPER@_NULL;
    }
    for (int32_t i = 0; i < MS_HELD; i++) {
        sound->samples[i] = i < MS_HELD - MS_HOP ? sound->samples[i + MS_HOP] : hop[i - (MS_HELD - MS_HOP)];
    }
    ms_frame(sound->samples, (int32_t *)ctx->arena->words, sound->bands + sound->frame * MS_BANDS);
    sound->frame = (sound->frame + 1) % MS_FRAMES;
    sound->largest[sound->hop] = (int16_t)largest_of(hop, MS_HOP, 1);
    sound->hop = (sound->hop + 1) % MS_HOPS;
    sound->filled += sound->filled < MS_HOPS;
    return sound->filled == MS_HOPS ? @UPPER@_OK : @UPPER@_SOUND_WAITING;
}

@HEARD@
{
    if (!sound || !features) {
        return @UPPER@_NULL;
    }
    if (sound->filled < MS_HOPS) {
        return @UPPER@_SOUND_WAITING;
    }
    const int32_t largest = largest_of(sound->largest, MS_HOPS, 1);
    for (int32_t frame = 0; frame < MS_FRAMES; frame++) {
        levels_of(sound->bands + (sound->frame + frame) % MS_FRAMES * MS_BANDS, largest, features + frame);
    }
    return @UPPER@_OK;
}
"""

CLASSES = """
const char *const @NAME@_classes[@CLASS_COUNT@] = {@CLASS_NAMES@};

@CLASS_OF@
{
    int32_t best = 0;
    for (int32_t i = 1; i < @CLASS_COUNT@; i++) {
        best = @ANSWERS@[i] > @ANSWERS@[best] ? i : best;
    }
    return best;
}
"""

CLASSES_HEADER = """
extern const char *const @NAME@_classes[@CLASS_COUNT@];
/* The place of the answer among them: the largest; the first of equal ones. */
@CLASS_OF@;
"""

README = """
## Sound

16-bit samples at @RATE@ Hz in, mono, of any loudness; @SAMPLES@ of them are a window.

```c
#include "@NAME@_features.h"

@ARRAYS@
if (@NAME@_infer_sound(&ctx, pcm, @ANSWERS@) == @UPPER@_OK) {
    @USED@
}
@STREAM@```

Features are mel-frequency cepstra (@FRAMES@ frames of @WINDOW@ samples every @HOP@, @BANDS@ bands, @COUNT@ \
coefficients), in integers
of 32 and 64 bits: the same bytes from every compiler, C library and processor, without flags. They are the bytes that
the network was trained on, but for one in hundreds of thousands of recorded sound, by one level. Tables take
@TABLE_BYTES@ bytes; working memory is the arena.@WAV@"""

README_WAV = """ On a PC, `make -C examples/wav` and
`examples/wav/@NAME@_wav file.wav` say what it hears in a recording, and when."""

README_STREAM = """
static @NAME@_sound sound; /* @STREAM_BYTES@ bytes; for sound that comes @HOP@ samples at a time */
@NAME@_sound_reset(&sound);
while (microphone(hop, @HOP@)) {
    if (@NAME@_sound_push(&ctx, &sound, hop) == @UPPER@_OK) {
        @NAME@_sound_features(&sound, features);
        @NAME@_infer(&ctx, features, @ANSWERS@);
    }
}
"""
