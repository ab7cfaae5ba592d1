/* msn_check.h: what the checks of msn_open share. Sizes are counted in int64_t and stop at MSN_FAR instead of overflowing. */
#ifndef MSN_CHECK_H
#define MSN_CHECK_H

#include "msn.h"
#include "msn_work.h"

#define MSN_FAR ((int64_t)1 << 60)

/* A layer whose operands were found: `room` has the elements of each from its start on, `before` those before it. */
typedef struct {
    const msn_network *network;
    const msn_layer *layer;
    const int32_t *shape;
    const msn_tensor *operands[4]; /* x, w, third, y; null where there is none */
    int64_t room[4], before[4];
} msn_checked;

enum { MSN_X, MSN_W, MSN_THIRD, MSN_Y };

int64_t msn_times(int64_t a, int64_t b);      /* of what is not negative */
int64_t msn_plus(int64_t a, int64_t b);
int64_t msn_all(const int32_t *sizes, int32_t count); /* the product of sizes */
int64_t msn_last(int64_t count, int64_t step);        /* (count - 1) * step */

/* Whether an operand is there and has `needed` elements. */
int msn_has(const msn_checked *c, int operand, int64_t needed);

/* Whether an operand is there, is of whole numbers, and of one of the types in the bits of `types`. */
int msn_is(const msn_checked *c, int operand, uint32_t types);

enum {
    MSN_ANY_INTEGER = 1 << MSN_TYPE_INT8 | 1 << MSN_TYPE_UINT8 | 1 << MSN_TYPE_INT16 | 1 << MSN_TYPE_UINT16 | 1 << MSN_TYPE_INT32
                      | 1 << MSN_TYPE_INT64,
    MSN_BYTES = 1 << MSN_TYPE_INT8 | 1 << MSN_TYPE_UINT8,
    MSN_WORDS = 1 << MSN_TYPE_UINT64
};

/* Record number n of a section, null where there is none. */
const msn_tensor *msn_tensor_at(const msn_network *network, uint32_t number);

/* The bytes of packed weights in a layout, null where the file does not have them in it. */
const uint8_t *msn_packed_at(const msn_network *network, uint32_t layout, uint32_t number, uint64_t *bytes);

/* Where a constant lies. */
const uint8_t *msn_constant_at(const msn_network *network, const msn_tensor *tensor);

/* Checks by what they are of; each gives MSN_OK or what is wrong. */
msn_status msn_check_header(const unsigned char *file, size_t bytes);
msn_status msn_check_sections(const unsigned char *file, msn_network *network);
msn_status msn_check_tensors(const msn_network *network);
msn_status msn_check_faces(const msn_network *network);
msn_status msn_check_parts(const msn_network *network);
msn_status msn_check_programs(const msn_network *network);

/* Of one layer, by the family of its kernel. */
msn_status msn_check_stage(const msn_checked *c, int64_t channels);
msn_status msn_check_dots(const msn_checked *c);
msn_status msn_check_windows(const msn_checked *c);
msn_status msn_check_pairs(const msn_checked *c);
msn_status msn_check_moves(const msn_checked *c);
msn_status msn_check_answers(const msn_checked *c);
msn_status msn_check_bytes(const msn_checked *c);
msn_status msn_check_words(const msn_checked *c);

uint32_t msn_crc(uint32_t crc, const void *bytes, size_t count);

#endif
