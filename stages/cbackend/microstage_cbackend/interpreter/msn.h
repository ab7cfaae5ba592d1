/* msn.h: runs networks that lie in files (<name>.msn, docs/network-file.md). C99, no allocation, no written globals, no recursion.
 *
 *     msn_network network;
 *     msn_status status = msn_open(file, bytes, &network);        checks everything, once; the file stays where it is
 *     ... working memory of msn_arena_bytes(&network) bytes, aligned to 8 (64 is faster) ...
 *     status = msn_infer(&network, arena, inputs, outputs);       dense arrays of the integers that the file describes
 *
 * Whatever the file holds: after msn_open gave MSN_OK, nothing reads or writes outside of the file, the arena, and the inputs and
 * outputs, whose sizes msn_input and msn_output tell. One arena serves one call at a time; the state of a network that is
 * stepped lies in it.
 */
#ifndef MSN_H
#define MSN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    MSN_OK = 0,
    MSN_NULL,         /* a pointer is missing */
    MSN_UNALIGNED,    /* file or arena */
    MSN_NO_NETWORK,   /* the magic is another */
    MSN_VERSION,      /* of a major version that this reader does not know */
    MSN_TRUNCATED,    /* fewer bytes than the file says it has */
    MSN_DAMAGED,      /* a checksum is wrong */
    MSN_BROKEN,       /* a record says what cannot be */
    MSN_UNKNOWN,      /* a kernel, stage or call that this reader does not have */
    MSN_TOO_LARGE,    /* for the arithmetic of the kernels */
    MSN_ENDIAN,       /* this machine stores the high byte first */
    MSN_OUT_OF_RANGE, /* an input holds an integer that the network does not take */
    MSN_NO_PROGRAM    /* the network has no such program */
} msn_status;

struct msn_kernels;

/* An opened file. Its members are for this library alone. */
typedef struct {
    const unsigned char *file;
    const void *header, *tensors, *layers, *parts, *programs, *calls, *places, *faces;
    const unsigned char *constants, *packed[4], *text, *golden;
    uint32_t tensors_count, layers_count, parts_count, programs_count, calls_count, places_count, faces_count;
    uint32_t constants_bytes, text_bytes;
    uint64_t packed_bytes[4], golden_bytes;
    const struct msn_kernels *kernels;
} msn_network;

/* Check `bytes` bytes at `file`, which stay as and where they are as long as `network` is used: flash, memory, a mapped file. */
msn_status msn_open(const void *file, size_t bytes, msn_network *network);

/* Whether the SHA-256 at the end of the file is that of the file: MSN_OK or MSN_DAMAGED. msn_open checks CRC-32s alone. */
msn_status msn_check_digest(const void *file, size_t bytes);

/* Bytes of working memory that every call below needs. */
uint32_t msn_arena_bytes(const msn_network *network);

/* One answer; or, of a network that goes step by step, one step, and its state made zeros. */
msn_status msn_infer(const msn_network *network, void *arena, const void *const *inputs, void *const *outputs);
msn_status msn_step(const msn_network *network, void *arena, const void *const *inputs, void *const *outputs);
msn_status msn_reset(const msn_network *network, void *arena);

/* The same of the program with this number: parts that make no whole. */
msn_status msn_run(const msn_network *network, uint32_t program, void *arena, const void *const *inputs, void *const *outputs);

/* One sentence. */
const char *msn_message(msn_status status);

/* The instructions that were chosen. */
const char *msn_instructions(const msn_network *network);

#ifdef __cplusplus
}
#endif

#endif
