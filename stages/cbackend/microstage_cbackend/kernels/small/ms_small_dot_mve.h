/* Sums of products for Helium: four patches times two filters, one patch times four.
 *
 * The instructions stand in assembly, as compilers do not keep eight sums in the even registers, which are those that VMLADAVA
 * adds to; gcc and clang then give the same ones.
 */
#ifndef MS_SMALL_DOT_MVE_H
#define MS_SMALL_DOT_MVE_H

#include "ms_small.h"

typedef struct { int32x4_t a, b; } ms_pair_mve;

/* 16 bytes of each of four patches, times those of two filters in a and b. */
#define MS_PATCH_MVE(a, b) "vldrb.u8 q2, [%[x]], #16\n\tvmladava.u8 " a ", %q[a], q2\n\tvmladava.u8 " b ", %q[b], q2\n\t"
#define MS_PRODUCTS_MVE MS_PATCH_MVE("r0", "r8") MS_PATCH_MVE("r2", "r10") MS_PATCH_MVE("r4", "r12") MS_PATCH_MVE("r6", "lr")

#define MS_BYTES_MVE(a, b) "vldrb.u8 " a ", [%[w]], #16\n\tvldrb.u8 " b ", [%[w]], #16\n\t"

/* The products of one field of the bytes in q3 and q4: in its place (q5 is the mask), shifted to it, the highest. */
#define MS_FIELD_MVE "vand %q[a], q3, q5\n\tvand %q[b], q4, q5\n\t" MS_PRODUCTS_MVE
#define MS_MOVED_MVE(shift, by)                                                                       \
    shift " %q[a], q3, #" by "\n\t" shift " %q[b], q4, #" by "\n\t"                                    \
    "vand %q[a], %q[a], q5\n\tvand %q[b], %q[b], q5\n\t" MS_PRODUCTS_MVE
#define MS_RIGHT_MVE(by) MS_MOVED_MVE("vshr.u8", by)
#define MS_TOP_MVE(by) "vshr.u8 %q[a], q3, #" by "\n\tvshr.u8 %q[b], q4, #" by "\n\t" MS_PRODUCTS_MVE

/* found.a and found.b become the sums of two filters, from the four numbers before x on. */
#define MS_DOT_MVE(before, block, ...)                                                                \
    __asm__(before "ldrd r0, r2, [%[x], #-16]\n\tldrd r4, r6, [%[x], #-8]\n\t"                         \
            "ldrd r8, r10, [%[x], #-16]\n\tldrd r12, lr, [%[x], #-8]\n"                                \
            "1:\n\tsubs %[blocks], #1\n\t" block "bne 1b\n\t"                                         \
            "vmov %q[a][2], %q[a][0], r0, r4\n\tvmov %q[a][3], %q[a][1], r2, r6\n\t"                  \
            "vmov %q[b][2], %q[b][0], r8, r12\n\tvmov %q[b][3], %q[b][1], r10, lr"                    \
            : [x] "+&r"(x), [w] "+&r"(w), [blocks] "+&r"(blocks), [a] "=&w"(found.a), [b] "=&w"(found.b) \
            :                                                                                         \
            : "r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr", "cc", "memory", __VA_ARGS__)
#define MS_PACKED_MVE(mask, fields) \
    MS_DOT_MVE("vmov.i8 q5, #" mask "\n\t", MS_BYTES_MVE("q3", "q4") fields, "q2", "q3", "q4", "q5")

/* The sums of four patches, one in each lane, and two filters. Of 1 bit, a field counts 2: it is w + 1. */
MS_INLINE ms_pair_mve ms_dot_4x2_mve(const uint8_t *x, const uint8_t *w, int32_t blocks, const int32_t bits)
{
    ms_pair_mve found;
    if (bits == 8) {
        MS_DOT_MVE("", MS_BYTES_MVE("%q[a]", "%q[b]") MS_PRODUCTS_MVE, "q2");
    } else if (bits == 4) {
        MS_PACKED_MVE("15", MS_FIELD_MVE MS_TOP_MVE("4"));
    } else if (bits == 2) {
        MS_PACKED_MVE("3", MS_FIELD_MVE MS_RIGHT_MVE("2") MS_RIGHT_MVE("4") MS_TOP_MVE("6"));
    } else {
        MS_PACKED_MVE("2", MS_MOVED_MVE("vshl.i8", "1") MS_FIELD_MVE MS_RIGHT_MVE("1") MS_RIGHT_MVE("2") MS_RIGHT_MVE("3")
                      MS_RIGHT_MVE("4") MS_RIGHT_MVE("5") MS_RIGHT_MVE("6"));
    }
    return found;
}

/* Weights of `part` of 16 bytes, plus half. */
MS_INLINE uint8x16_t ms_field_mve(uint8x16_t bytes, int32_t part, int32_t bits)
{
    return vandq_u8(vshlq_r_u8(bytes, (bits == 1) - part * bits), vdupq_n_u8((uint8_t)(bits == 1 ? 2 : (1 << bits) - 1)));
}

/* The sums of one patch and four filters, one in each lane, from the number 16 bytes before x on. */
MS_INLINE int32x4_t ms_dot_1x4_mve(const uint8_t *x, const uint8_t *w, int32_t blocks, const int32_t bits)
{
    int32x4_t found;
    if (bits == 8) {
        __asm__("ldr r0, [%[x], #-16]\n\tmov r2, r0\n\tmov r4, r0\n\tmov r6, r0\n\t"
                "add r8, %[w], %[blocks], lsl #5\n\tdls lr, %[blocks]\n"
                "1:\n\tvldrb.u8 q1, [%[x]], #16\n\tvldrb.u8 q2, [%[w]], #16\n\tvmladava.u8 r0, q1, q2\n\t"
                "vldrb.u8 q2, [%[w]], #16\n\tvmladava.u8 r2, q1, q2\n\tvldrb.u8 q2, [r8], #16\n\tvmladava.u8 r4, q1, q2\n\t"
                "vldrb.u8 q2, [r8], #16\n\tvmladava.u8 r6, q1, q2\n\tle lr, 1b\n\t"
                "vmov %q[found][2], %q[found][0], r0, r4\n\tvmov %q[found][3], %q[found][1], r2, r6"
                : [x] "+&r"(x), [w] "+&r"(w), [found] "=&w"(found)
                : [blocks] "r"(blocks)
                : "r0", "r2", "r4", "r6", "r8", "lr", "memory", "q1", "q2");
        return found;
    }
    const uint8_t *next = w + 32 * blocks;
    uint32_t s0 = ((const uint32_t *)(const void *)x)[-4], s1 = s0, s2 = s0, s3 = s0;
    for (int32_t i = 0; i < blocks; i++, w += 32, next += 32) {
        for (int32_t part = 0; part < 8 / bits; part++, x += 16) {
            const uint8x16_t bytes = vldrbq_u8(x);
            s0 = vmladavaq_u8(s0, bytes, ms_field_mve(vldrbq_u8(w), part, bits));
            s1 = vmladavaq_u8(s1, bytes, ms_field_mve(vldrbq_u8(w + 16), part, bits));
            s2 = vmladavaq_u8(s2, bytes, ms_field_mve(vldrbq_u8(next), part, bits));
            s3 = vmladavaq_u8(s3, bytes, ms_field_mve(vldrbq_u8(next + 16), part, bits));
        }
    }
    found = vdupq_n_s32((int32_t)s0);
    found = vsetq_lane_s32((int32_t)s1, found, 1);
    found = vsetq_lane_s32((int32_t)s2, found, 2);
    return vsetq_lane_s32((int32_t)s3, found, 3);
}

#endif
