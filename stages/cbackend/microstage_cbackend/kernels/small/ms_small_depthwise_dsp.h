/* ms_small_depthwise for the Arm DSP extension (Cortex-M4, M7, M33).
 *
 * Four channels at a time become planes of 16 bits in scratch, for some rows of outputs; then one channel after the
 * other is summed, two neighbouring outputs at once. A 3 x 3 kernel lies in six registers, two weights in each; of others, sums
 * alone are made by assembly, and by C what is stored. Weights, q and results as in ms_small_depthwise.h.
 */
#ifndef MS_SMALL_DEPTHWISE_DSP_H
#define MS_SMALL_DEPTHWISE_DSP_H

#include "ms_small_end_dsp.h"
#include "ms_small_planes_dsp.h"

enum { MS_SMALL_CHUNK = 8, MS_SMALL_PLANES = 2200 };

/* Channels of a strip, one after the other: q, w, x (the first of three rows of a window) and y are those of the next.
 * used: bytes of x that a row's pairs of outputs advance; step: from row to row of a window; gap: from a row's end to the next row of
 * windows, row: from row to row of them; y_gap the same in y; odd: a single output stands behind the pairs; plane: to the next channel.
 */
typedef struct {
    const int32_t *q;
    const int8_t *w;
    const uint32_t *x;
    void *y;
    int32_t channels, offset, pixel, used, step, gap, rows, row, y_gap, odd, plane, edge;
} ms_small_channels_dsp;

/* r0-r5: w0 w1, w1 w2 of each row; r6, r7: two sums; r10-r12: three rows; lr: y.
 * On the stack: bias, multiplier, offset, pixel, end of the pairs, the structure, rows left; of a bent line edge and kink. */
#define MS_SMALL_ENTER_DSP(room, constants, WEIGHTS)                                                            \
    "push {r4-r11, lr}\n sub sp, #" room "\n str r0, [sp, #20]\n"                              \
    "ldrd r1, r2, [r0, #20]\n strd r1, r2, [sp, #8]\n"                                   \
    "0: ldr r12, [sp, #20]\n ldmia r12, {r0, r6, r10, lr}\n"                             \
    constants                                                                            \
    "ldrd r1, r2, [r12, #28]\n ldr r3, [r12, #56]\n ldr r4, [r12, #40]\n"                \
    "add r7, r6, #9\n add r8, r10, r3\n add r9, lr, #1\n stmia r12, {r0, r7-r9}\n"       \
    "add r1, r10\n str r1, [sp, #16]\n str r4, [sp, #24]\n"                              \
    "add r11, r10, r2\n add r12, r11, r2\n"                                              \
    WEIGHTS("r0", "r1", "0", "1", "2")                                      \
    WEIGHTS("r2", "r3", "3", "4", "5")                                      \
    WEIGHTS("r4", "r5", "6", "7", "8")                                      \
    "1:\n"
#define MS_SMALL_LINE_DSP "ldrd r1, r2, [r0], #8\n strd r1, r2, [sp]\n"
#define MS_SMALL_BENT_DSP                                                                \
    "ldrd r1, r2, [r0], #8\n strd r1, r2, [sp]\n mov r1, #256\n clz r2, r2\n lsr r2, r1, r2\n" \
    "ldr r1, [r12, #60]\n strd r1, r2, [sp, #28]\n"
#define MS_SMALL_PAIRED_DSP(a, b) "pkhbt " a ", r7, r8, lsl #16\n pkhbt " b ", r8, r9, lsl #16\n"
#define MS_SMALL_WEIGHTS_DSP(a, b, i, j, k)                                              \
    "ldrsb r7, [r6, #" i "]\n ldrsb r8, [r6, #" j "]\n ldrsb r9, [r6, #" k "]\n" MS_SMALL_PAIRED_DSP(a, b)
/* The same times 256, with which sums are those that a fine line takes. */
#define MS_SMALL_FINE_WEIGHTS_DSP(a, b, i, j, k)                                         \
    "ldrb r7, [r6, #" i "]\n ldrb r8, [r6, #" j "]\n ldrb r9, [r6, #" k "]\n" MS_SMALL_PAIRED_DSP(a, b) \
    "lsl " a ", " a ", #8\n lsl " b ", " b ", #8\n"

/* Outputs at columns 0 and 1 of four, or 0 and 2 of five; `first` is where the second sum begins. */
#define MS_SMALL_ROW_1_DSP(x, a, b, first)                                               \
    "ldrd r8, r9, [" x "], #4\n"                                                         \
    "smlatb r7, r8, " a ", " first "\n smlad r6, r8, " a ", r6\n"                        \
    "smlabt r6, r9, " b ", r6\n smlad r7, r9, " b ", r7\n"
#define MS_SMALL_ROW_2_DSP(x, a, b, first)                                               \
    "ldrd r8, r9, [" x "], #8\n"                                                         \
    "smlad r7, r9, " a ", " first "\n smlad r6, r8, " a ", r6\n"                         \
    "ldr r8, [" x "]\n smlabt r6, r9, " b ", r6\n smlabt r7, r8, " b ", r7\n"
#define MS_SMALL_PAIR_DSP(ROW) "ldr r6, [sp]\n" ROW("r10", "r0", "r1", "r6") ROW("r11", "r2", "r3", "r7") ROW("r12", "r4", "r5", "r7")
#define MS_SMALL_SINGLE_ROW_DSP(x, a, b) "ldrd r8, r9, [" x "]\n smlad r6, r8, " a ", r6\n smlabt r6, r9, " b ", r6\n"
#define MS_SMALL_SINGLE_DSP                                                              \
    "ldr r6, [sp]\n" MS_SMALL_SINGLE_ROW_DSP("r10", "r0", "r1")                          \
    MS_SMALL_SINGLE_ROW_DSP("r11", "r2", "r3") MS_SMALL_SINGLE_ROW_DSP("r12", "r4", "r5")

/* (sum * multiplier + offset * 2^32) >> 32 in SMMLA, the rest of the line in USAT; of a bent one the kink between them. */
#define MS_SMALL_STORE_PAIR_DSP(shift, BEND)                                             \
    "ldrd r8, r9, [sp, #4]\n smmla r6, r6, r8, r9\n smmla r7, r7, r8, r9\n" BEND##_PAIR_DSP \
    "usat r6, #8, r6, asr #" #shift "\n usat r7, #8, r7, asr #" #shift "\n"              \
    "ldrd r8, r9, [sp, #12]\n strb r6, [lr]\n strb r7, [lr, r8]\n add lr, lr, r8, lsl #1\n"
#define MS_SMALL_STORE_SINGLE_DSP(shift, BEND)                                           \
    "ldrd r8, r9, [sp, #4]\n smmla r6, r6, r8, r9\n" BEND##_SINGLE_DSP "usat r6, #8, r6, asr #" #shift "\n strb r6, [lr]\n"
#define MS_SMALL_STRAIGHT_PAIR_DSP ""
#define MS_SMALL_STRAIGHT_SINGLE_DSP ""
#define MS_SMALL_LOWER_DSP(r) "cmp " r ", r8\n it lt\n sublt " r ", " r ", r9\n"
#define MS_SMALL_BEND_PAIR_DSP "ldrd r8, r9, [sp, #28]\n" MS_SMALL_LOWER_DSP("r6") MS_SMALL_LOWER_DSP("r7")
#define MS_SMALL_BEND_SINGLE_DSP "ldrd r8, r9, [sp, #28]\n" MS_SMALL_LOWER_DSP("r6")
#define MS_SMALL_SUMS_PAIR_DSP(none, same) "str r6, [lr], #4\n str r7, [lr], #4\n ldr r9, [sp, #16]\n"
#define MS_SMALL_SUMS_SINGLE_DSP(none, same) "str r6, [lr]\n"

#define MS_SMALL_LEAVE_DSP(room, single)                                                 \
    "cmp r10, r9\n bne 1b\n"                                                             \
    "ldr r6, [sp, #20]\n ldr r7, [r6, #52]\n cbz r7, 2f\n" single "ldr r6, [sp, #20]\n"  \
    "2: ldr r9, [sp, #24]\n subs r9, #1\n beq 3f\n str r9, [sp, #24]\n"                  \
    "ldr r8, [r6, #36]\n add r10, r8\n add r11, r8\n add r12, r8\n"                      \
    "ldrd r7, r8, [r6, #44]\n add lr, r8\n ldr r9, [sp, #16]\n add r9, r7\n str r9, [sp, #16]\n b 1b\n" \
    "3: ldr r7, [r6, #16]\n subs r7, #1\n str r7, [r6, #16]\n bne 0b\n"                  \
    "add sp, #" room "\n pop {r4-r11, pc}\n"

#define MS_SMALL_3X3_DSP(name, room, constants, WEIGHTS, ROW, PAIR, SINGLE, shift, BEND)  \
    MS_SMALL_ASM name(ms_small_channels_dsp *c __attribute__((unused)))                  \
    {                                                                                    \
        __asm__ volatile(MS_SMALL_ENTER_DSP(room, constants, WEIGHTS) MS_SMALL_PAIR_DSP(ROW) PAIR(shift, BEND) \
                         MS_SMALL_LEAVE_DSP(room, MS_SMALL_SINGLE_DSP SINGLE(shift, BEND)) : : : MS_SMALL_ASM_CLOBBERS); \
    }
#define MS_SMALL_LINES_DSP(stride, shift)                                                \
    MS_SMALL_3X3_DSP(ms_small_3x3_##stride##_fine_##shift, "28", MS_SMALL_LINE_DSP, MS_SMALL_FINE_WEIGHTS_DSP, MS_SMALL_ROW_##stride##_DSP, \
                     MS_SMALL_STORE_PAIR_DSP, MS_SMALL_STORE_SINGLE_DSP, shift, MS_SMALL_STRAIGHT) \
    MS_SMALL_3X3_DSP(ms_small_3x3_##stride##_bent_##shift, "36", MS_SMALL_BENT_DSP, MS_SMALL_FINE_WEIGHTS_DSP, MS_SMALL_ROW_##stride##_DSP, \
                     MS_SMALL_STORE_PAIR_DSP, MS_SMALL_STORE_SINGLE_DSP, shift, MS_SMALL_BEND)
#define MS_SMALL_SUMS_DSP(stride)                                                        \
    MS_SMALL_3X3_DSP(ms_small_3x3_##stride##_sums, "28", MS_SMALL_LINE_DSP, MS_SMALL_WEIGHTS_DSP, MS_SMALL_ROW_##stride##_DSP, \
                     MS_SMALL_SUMS_PAIR_DSP, MS_SMALL_SUMS_SINGLE_DSP, 0, MS_SMALL_STRAIGHT)

#define MS_SMALL_LINES_1_DSP(shift) MS_SMALL_LINES_DSP(1, shift)
MS_SMALL_FINE_SHIFTS(MS_SMALL_LINES_1_DSP)
MS_SMALL_SUMS_DSP(1)
#define MS_SMALL_LINES_2_DSP(shift) MS_SMALL_LINES_DSP(2, shift)
MS_SMALL_FINE_SHIFTS(MS_SMALL_LINES_2_DSP)
MS_SMALL_SUMS_DSP(2)

/* Sums of any kernel, four outputs at once, which uses up x, y and fours. step: bytes from output to output; pairs: of weights in a row, at w as pairs of 16 bits;
 * gap: bytes from the end of a row of taps to the next. */
typedef struct {
    const void *x;
    uint32_t *w;
    int32_t *y;
    int32_t step, rows, pairs, gap, fours;
} ms_small_depthwise_taps_dsp;

MS_SMALL_ASM ms_small_sum_taps_dsp(ms_small_depthwise_taps_dsp *taps __attribute__((unused)))
{
    __asm__ volatile(
        "push {r0, r4-r11, lr}\n"
        "ldr r11, [r0, #12]\n add r12, r11, r11, lsl #1\n"
        "1: ldr r6, [sp]\n ldrd r4, r5, [r6]\n"
        "add r7, r4, r11, lsl #2\n str r7, [r6]\n ldr r6, [r6, #16]\n"
        "mov r0, #0\n mov r1, #0\n mov r2, #0\n mov r3, #0\n"
        "2: ldr r7, [sp]\n ldr r7, [r7, #20]\n"
        "3: ldr r8, [r5], #4\n ldr r9, [r4, r11]\n ldr r10, [r4, r11, lsl #1]\n ldr lr, [r4, r12]\n"
        "smlad r1, r9, r8, r1\n ldr r9, [r4], #4\n"
        "smlad r2, r10, r8, r2\n smlad r3, lr, r8, r3\n smlad r0, r9, r8, r0\n"
        "subs r7, #1\n bne 3b\n"
        "ldr r7, [sp]\n ldr r8, [r7, #24]\n add r4, r8\n subs r6, #1\n bne 2b\n"
        "ldr r8, [r7, #8]\n stmia r8!, {r0-r3}\n str r8, [r7, #8]\n"
        "ldr r8, [r7, #28]\n subs r8, #1\n str r8, [r7, #28]\n bne 1b\n"
        "pop {r0, r4-r11, pc}\n" : : : MS_SMALL_ASM_CLOBBERS);
}

/* Whether the kernels of 3 x 3 taps compute `shape`. */
MS_INLINE int ms_small_is_3x3_dsp(const ms_small_conv_shape *shape)
{
    return shape->kernel_h == 3 && shape->kernel_w == 3 && shape->dilation_w == 1 && shape->stride_w <= 2 && shape->out_width > 1;
}

/* Pairs of 16-bit weights in a row of taps, zeros between dilated ones included. */
MS_INLINE int32_t ms_small_tap_pairs_dsp(const ms_small_conv_shape *shape)
{
    return ((shape->kernel_w - 1) * shape->dilation_w + 2) / 2;
}

/* Words of a row of a plane: of depthwise_scratch(...). */
MS_INLINE int32_t ms_small_pitch_dsp(const ms_small_conv_shape *shape)
{
    if (ms_small_is_3x3_dsp(shape)) {
        return shape->stride_w == 2 ? shape->out_width + 1 : (shape->out_width + 3) / 2;
    }
    return ((((shape->out_width + 3) & ~3) - 1) * shape->stride_w + 1) / 2 + ms_small_tap_pairs_dsp(shape);
}

typedef void ms_small_3x3_dsp(ms_small_channels_dsp *c);

/* What a call works with, at the head of scratch: the stack is small. kernel: of 3 x 3 taps; whole: whether it stores what is stored, not
 * sums; taps.w: the weights of one channel as pairs, of other taps. A strip: rows h...h + rows - 1 of the outputs of channels c...c + count - 1, whose inputs lie
 * in planes k...k + count - 1. */
typedef struct {
    ms_small_planes_dsp planes;
    const uint8_t *x;
    const int8_t *w;
    uint8_t *y;
    ms_small_stage stage;
    ms_small_3x3_dsp *kernel;
    int32_t whole, c, count, k, h, rows;
    ms_small_channels_dsp channels;
    ms_small_depthwise_taps_dsp taps;
    int32_t sums[MS_SMALL_CHUNK + 4];
} ms_small_depthwise_job_dsp;

typedef char ms_small_job_is_as_counted[sizeof(ms_small_depthwise_job_dsp) == 260 ? 1 : -1];

/* Run the assembly of 3 x 3 taps over `rows` rows of `count` outputs, from row r and column v of the strip's channel i on. */
MS_SMALL_STATIC void ms_small_run_3x3_dsp(ms_small_depthwise_job_dsp *job, int32_t i, int32_t r, int32_t v, int32_t count, int32_t rows)
{
    const ms_small_conv_shape *s = job->planes.shape;
    const int32_t row = 4 * MS_SMALL_GROUP * job->planes.pitch, pairs = count / 2;
    ms_small_channels_dsp *c = &job->channels;
    c->w = job->w + 9 * (job->c + i);
    c->x = job->planes.words + (r * row / 4) * s->stride_h + (job->k + i) * job->planes.pitch + v / 2 * s->stride_w;
    c->used = 4 * pairs * s->stride_w;
    c->step = s->dilation_h * row;
    c->row = s->stride_h * row;
    c->gap = c->row - c->used;
    c->rows = rows;
    c->pixel = s->channels;
    c->y_gap = (s->out_width - 2 * pairs) * s->channels;
    c->odd = count & 1;
    c->plane = 4 * job->planes.pitch;
    job->kernel(c);
}

/* Hold each byte of 0..255 to low..high, and flip: `count` channels of each pixel. */
MS_SMALL_STATIC void ms_small_hold_dsp(uint8_t *y, int32_t pixels, int32_t count, int32_t pixel, int32_t low, int32_t high, int32_t flip)
{
    const uint32_t all = 0x01010101u, up = all * (uint32_t)(255 - high), down = up + all * (uint32_t)low, back = all * ((uint32_t)(low + flip) & 255u);
    const size_t each = count == 4 ? 4 : 1;
    if (low <= 0 && high >= 255 && !flip) {
        return;
    }
    for (; pixels > 0; pixels--, y += pixel) {
        for (uint8_t *at = y; at < y + count; at += each) {
            uint32_t word = 0;
            memcpy(&word, at, each);
            __asm__("uqadd8 %0, %0, %1\n uqsub8 %0, %0, %2\n uadd8 %0, %0, %3\n" : "+r"(word) : "r"(up), "r"(down), "r"(back) : "cc");
            memcpy(at, &word, each);
        }
    }
}

/* The weights of channel c as pairs of 16 bits, zeros between dilated ones and behind each row. */
MS_SMALL_STATIC void ms_small_pair_taps_dsp(ms_small_depthwise_job_dsp *job, int32_t c)
{
    const ms_small_conv_shape *s = job->planes.shape;
    const int32_t each = 2 * ms_small_tap_pairs_dsp(s);
    const int8_t *w = job->w + c * s->kernel_h * s->kernel_w;
    int16_t *to = (int16_t *)(void *)job->taps.w;
    memset(to, 0, (size_t)(2 * each * s->kernel_h));
    for (int32_t i = 0; i < s->kernel_h; i++, to += each) {
        for (int32_t j = 0; j < s->kernel_w; j++) {
            to[j * s->dilation_w] = *w++;
        }
    }
}

/* The sums of `count` outputs of 3 x 3 taps from column v of row r of the strip on. */
MS_SMALL_STATIC void ms_small_sums_3x3_dsp(ms_small_depthwise_job_dsp *job, int32_t i, int32_t r, int32_t v, int32_t count)
{
    static const int32_t none[2] = {0, 0};
    job->channels.q = none;
    job->channels.y = job->sums;
    job->channels.channels = 1;
    ms_small_run_3x3_dsp(job, i, r, v, count, 1);
}

/* The same of other taps. */
MS_SMALL_STATIC void ms_small_sums_any_dsp(ms_small_depthwise_job_dsp *job, int32_t i, int32_t r, int32_t v, int32_t count)
{
    const ms_small_conv_shape *s = job->planes.shape;
    const int32_t row = MS_SMALL_GROUP * job->planes.pitch;
    ms_small_depthwise_taps_dsp *taps = &job->taps;
    taps->x = (const uint16_t *)(const void *)(job->planes.words + r * s->stride_h * row + (job->k + i) * job->planes.pitch) + v * s->stride_w;
    taps->y = job->sums;
    taps->step = 2 * s->stride_w;
    taps->rows = s->kernel_h;
    taps->pairs = ms_small_tap_pairs_dsp(s);
    taps->gap = 4 * (row * s->dilation_h - taps->pairs);
    taps->fours = (count + 3) / 4;
    ms_small_sum_taps_dsp(taps);
}

/* What is stored for `count` sums of channel c. */
MS_SMALL_STATIC void ms_small_store_sums_dsp(const ms_small_depthwise_job_dsp *job, uint8_t *y, int32_t c, int32_t count)
{
    const int32_t channels = job->planes.shape->channels;
    if (job->stage.requant) {
        ms_small_requantise(job->sums, 1, y, channels, count, c, job->stage.requant);
        return;
    }
    for (int32_t i = 0; i < count; i++, y += channels) {
        ms_small_store(y, 0, c, job->sums[i], job->stage);
    }
}

/* Channel i of the strip: chunk by chunk its sums, and what is stored for them. */
MS_SMALL_STATIC void ms_small_any_channel_dsp(ms_small_depthwise_job_dsp *job, uint8_t *y, int32_t i)
{
    for (int32_t r = 0; r < job->rows; r++) {
        for (int32_t v = 0, left, count; v < job->planes.shape->out_width; v += count, y += count * job->planes.shape->channels) {
            left = job->planes.shape->out_width - v;
            count = left <= MS_SMALL_CHUNK + 1 ? left : MS_SMALL_CHUNK; /* a single one in a width of 1 alone */
            (ms_small_is_3x3_dsp(job->planes.shape) ? ms_small_sums_3x3_dsp : ms_small_sums_any_dsp)(job, i, r, v, count);
            ms_small_store_sums_dsp(job, y, job->c + i, count);
        }
    }
}

/* The strip whose planes are filled: 3 x 3 taps whose kernel stores what is stored. */
MS_SMALL_STATIC void ms_small_whole_strip_dsp(ms_small_depthwise_job_dsp *job, uint8_t *y)
{
    const ms_line *line = job->stage.line;
    const ms_small_conv_shape *s = job->planes.shape;
    job->channels.y = y;
    job->channels.channels = job->count;
    job->channels.q = job->stage.q + 2 * job->c;
    job->channels.offset = line->offset;
    job->channels.edge = line->edge;
    ms_small_run_3x3_dsp(job, 0, 0, 0, s->out_width, job->rows);
    ms_small_hold_dsp(y, job->rows * s->out_width, job->count, s->channels, line->low, line->high, line->flip);
}

/* The same: whatever it is. */
MS_SMALL_STATIC void ms_small_any_strip_dsp(ms_small_depthwise_job_dsp *job, uint8_t *y)
{
    for (int32_t i = 0; i < job->count; i++) {
        if (!ms_small_is_3x3_dsp(job->planes.shape)) {
            ms_small_pair_taps_dsp(job, job->c + i);
        }
        ms_small_any_channel_dsp(job, y + i, i);
    }
}

/* All channels, four at a time; where fewer are left, the last four are split once more. */
MS_SMALL_STATIC void ms_small_depthwise_work_dsp(ms_small_depthwise_job_dsp *job)
{
    const ms_small_conv_shape *s = job->planes.shape;
    for (job->c = 0; job->c < s->channels; job->c += MS_SMALL_GROUP) {
        const int32_t left = s->channels - job->c;
        job->count = left < MS_SMALL_GROUP ? left : MS_SMALL_GROUP;
        job->k = job->c ? MS_SMALL_GROUP - job->count : 0;
        for (job->h = 0; job->h < s->out_height; job->h += job->planes.strip) {
            job->rows = s->out_height - job->h < job->planes.strip ? s->out_height - job->h : job->planes.strip;
            ms_small_fill_planes_dsp(job->x + job->c - job->k, job->h, job->rows, &job->planes);
            (job->whole ? ms_small_whole_strip_dsp : ms_small_any_strip_dsp)(job, job->y + job->h * s->out_width * s->channels + job->c);
        }
    }
}

/* The kernel for a step and an end, which is sums, or a fine or bent line. */
#define MS_SMALL_3X3_OF_DSP(function, end) ((end) == MS_SMALL_END_SUMS ? function##_sums : MS_DSP_FINE_END(function, end))
MS_INLINE ms_small_3x3_dsp *ms_small_3x3_of_dsp(int32_t stride, int32_t end)
{
    return stride == 1 ? MS_SMALL_3X3_OF_DSP(ms_small_3x3_1, end) : MS_SMALL_3X3_OF_DSP(ms_small_3x3_2, end);
}

/* Rows of outputs that are computed from one filling of the planes: as many as MS_SMALL_PLANES bytes hold, at least one. */
MS_INLINE int32_t ms_small_strip_dsp(const ms_small_conv_shape *shape)
{
    const int32_t row = 4 * MS_SMALL_GROUP * ms_small_pitch_dsp(shape), span = (shape->kernel_h - 1) * shape->dilation_h + 1;
    const int32_t most = MS_SMALL_PLANES - span * row < 0 ? 1 : (MS_SMALL_PLANES - span * row) / (row * shape->stride_h) + 1;
    return most < shape->out_height ? most : shape->out_height;
}

MS_SMALL_STATIC void ms_small_depthwise_start_dsp(const uint8_t *x, const int8_t *w, uint8_t *y, ms_small_depthwise_job_dsp *job,
                                                  const ms_small_conv_shape *shape, const ms_small_stage *stage, ms_small_3x3_dsp *kernel, int32_t whole)
{
    const int32_t strip = ms_small_strip_dsp(shape);
    ms_small_set_planes_dsp(&job->planes, (uint32_t *)(void *)(job + 1), ms_small_pitch_dsp(shape), strip, shape);
    job->taps.w = job->planes.words + MS_SMALL_GROUP * job->planes.pitch * ((strip - 1) * shape->stride_h + job->planes.span);
    job->x = x;
    job->w = w;
    job->y = y;
    job->stage = *stage;
    job->whole = whole;
    job->kernel = kernel;
}

MS_INLINE void ms_small_depthwise_any_dsp(const uint8_t *x, const int8_t *w, const int32_t *q, uint8_t *y, void *scratch,
                                          const ms_small_conv_shape *shape, const ms_line *line, const ms_requant *requant)
{
    const int32_t end = ms_small_is_3x3_dsp(shape) ? ms_small_end_dsp(line) : MS_SMALL_END_SUMS;
    const ms_small_stage stage = {q, line, requant};
    ms_small_depthwise_start_dsp(x, w, y, scratch, shape, &stage, ms_small_3x3_of_dsp(shape->stride_w, end), end != MS_SMALL_END_SUMS);
    ms_small_depthwise_work_dsp(scratch);
}

MS_INLINE void ms_small_depthwise_dsp(const uint8_t *x, const int8_t *w, const int32_t *q, uint8_t *y, void *scratch,
                                      const ms_small_conv_shape *shape, const ms_line *line)
{
    ms_small_depthwise_any_dsp(x, w, q, y, scratch, shape, line, 0);
}

MS_INLINE void ms_small_depthwise_requant_dsp(const uint8_t *x, const int8_t *w, uint8_t *y, void *scratch, const ms_small_conv_shape *shape,
                                              const ms_requant *q)
{
    ms_small_depthwise_any_dsp(x, w, 0, y, scratch, shape, 0, q);
}

#endif
