/* msn_format.h: docs/network-file.md in C; microstage_cbackend.network_file.format.tables writes it.
 *
 * Structures lie in the file as they are here, little-endian; each field at a multiple of its size. */
#ifndef MSN_FORMAT_H
#define MSN_FORMAT_H

#include <stdint.h>

#define MSN_MAJOR 1
#define MSN_MINOR 0
#define MSN_ABSENT 0xffffffffu
#define MSN_SECTIONS 12 /* kinds of sections */

enum { MSN_TYPE_INT8 = 1, MSN_TYPE_UINT8 = 2, MSN_TYPE_INT16 = 3, MSN_TYPE_UINT16 = 4, MSN_TYPE_INT32 = 5,
    MSN_TYPE_INT64 = 6, MSN_TYPE_UINT64 = 7, MSN_TYPE_DOUBLE = 8 };

enum { MSN_PLACE_ARENA = 1, MSN_PLACE_CONSTANT = 2, MSN_PLACE_ARGUMENT = 3, MSN_PLACE_PACKED = 4 };

enum { MSN_LAYOUT_ROWS = 1, MSN_LAYOUT_BLOCKS = 2, MSN_LAYOUT_DEPTHWISE_BLOCKS = 3 };

enum { MSN_PROGRAM_INFER = 1, MSN_PROGRAM_STEP = 2, MSN_PROGRAM_RESET = 3, MSN_PROGRAM_PART = 4 };

enum { MSN_CALL_RUN = 1, MSN_CALL_ZERO = 2, MSN_CALL_MOVE = 3, MSN_CALL_REPEAT = 4, MSN_CALL_TURN = 5,
    MSN_CALL_TURN_SUM = 6, MSN_CALL_FORGET = 7 };

enum { MSN_STAGE_NONE = 0, MSN_STAGE_RAW32 = 1, MSN_STAGE_RAW64 = 2, MSN_STAGE_AFFINE32 = 3, MSN_STAGE_AFFINE64 = 4,
    MSN_STAGE_EVEN64 = 5, MSN_STAGE_KINK64 = 6, MSN_STAGE_WIDE64 = 7, MSN_STAGE_SEARCH16 = 8,
    MSN_STAGE_SEARCH32 = 9, MSN_STAGE_SEARCH64 = 10, MSN_STAGE_SHARED32 = 11, MSN_STAGE_REQUANT = 12 };

enum { MSN_KERNEL_LINEAR = 1, MSN_KERNEL_LINEAR_PACKED = 2, MSN_KERNEL_CONV2D = 3, MSN_KERNEL_CONV2D_PACKED = 4,
    MSN_KERNEL_DEPTHWISE = 5, MSN_KERNEL_IM2COL = 6, MSN_KERNEL_MAX_POOL = 7, MSN_KERNEL_SUM_POOL = 8,
    MSN_KERNEL_OR_POOL = 9, MSN_KERNEL_ADD = 10, MSN_KERNEL_MUL = 11, MSN_KERNEL_BLEND = 12, MSN_KERNEL_COPY = 13,
    MSN_KERNEL_GATHER = 14, MSN_KERNEL_STAGE = 15, MSN_KERNEL_TABLE = 16, MSN_KERNEL_SOFTMAX = 17,
    MSN_KERNEL_TOP = 18, MSN_KERNEL_TAKE = 19, MSN_KERNEL_PACK = 20, MSN_KERNEL_XNOR_SUMS = 21,
    MSN_KERNEL_XNOR_BITS = 22, MSN_KERNEL_CONV_U8 = 23, MSN_KERNEL_CONV_U8_SUMS = 24, MSN_KERNEL_DEPTHWISE_U8 = 25,
    MSN_KERNEL_AVERAGE_U8 = 26, MSN_KERNEL_ADD_U8 = 27, MSN_KERNEL_PAD_U8 = 28, MSN_KERNEL_FRAME_U8 = 29 };

enum { MSN_ROUNDING_ROUND = 1, MSN_ROUNDING_HALF_UP = 2, MSN_ROUNDING_HALF_DOWN = 3, MSN_ROUNDING_UP = 4,
    MSN_ROUNDING_DOWN = 5, MSN_ROUNDING_FLOOR = 6, MSN_ROUNDING_CEIL = 7, MSN_ROUNDING_SIGN = 8,
    MSN_ROUNDING_THRESHOLDS = 9 };

/* The first 64 bytes of the file. */
typedef struct {
    uint8_t magic[8];
    uint16_t major;
    uint16_t minor;
    uint32_t header_bytes;
    uint64_t file_bytes;
    uint32_t arena_bytes;
    uint32_t sections;
    uint32_t crc;
    uint32_t name;
    uint32_t classes;
    uint32_t reserved[5];
} msn_header;
typedef char msn_header_has_64_bytes[sizeof(msn_header) == 64 ? 1 : -1];

/* One entry of the table, which follows the header. */
typedef struct {
    uint8_t kind[4];
    uint32_t layout;
    uint64_t offset;
    uint64_t bytes;
    uint32_t crc;
    uint32_t reserved;
} msn_section;
typedef char msn_section_has_32_bytes[sizeof(msn_section) == 32 ? 1 : -1];

/* FACE: an input or output of a program or of a part. */
typedef struct {
    uint32_t name;
    uint32_t of;
    uint32_t unit;
    uint8_t ctype;
    uint8_t rank;
    uint8_t rounding;
    uint8_t flags;
    uint32_t elements;
    uint32_t elements_of_step;
    int64_t low;
    int64_t high;
    int64_t clip_low;
    int64_t clip_high;
    int64_t zero_point;
    uint32_t scale;
    uint32_t scale_inner;
    uint32_t offset;
    uint32_t offset_inner;
    uint32_t thresholds;
    uint32_t thresholds_inner;
    uint32_t levels;
    uint32_t step;
    uint32_t shape[8];
} msn_face;
typedef char msn_face_has_128_bytes[sizeof(msn_face) == 128 ? 1 : -1];

/* TENS: a run of integers in memory. */
typedef struct {
    uint8_t ctype;
    uint8_t place;
    uint16_t reserved;
    uint32_t elements;
    uint32_t offset;
    uint32_t name;
    int64_t low;
    int64_t high;
} msn_tensor;
typedef char msn_tensor_has_32_bytes[sizeof(msn_tensor) == 32 ? 1 : -1];

/* LAYR: one call of one kernel. */
typedef struct {
    uint16_t kernel;
    uint16_t stage;
    uint8_t accumulator;
    uint8_t reserved[3];
    uint32_t name;
    uint32_t operator;
    uint32_t operands[4];
    uint32_t starts[4];
    uint32_t scratch;
    uint32_t scratch_bytes;
    uint32_t arrays[4];
    int32_t numbers[6];
    int64_t wide;
    int32_t shape[20];
    int64_t factors[2];
} msn_layer;
typedef char msn_layer_has_200_bytes[sizeof(msn_layer) == 200 ? 1 : -1];

/* PART: layers that run one after another. Its arguments are its inputs, then its outputs. */
typedef struct {
    uint32_t name;
    uint32_t first_layer;
    uint32_t layers;
    uint32_t first_face;
    uint16_t inputs;
    uint16_t outputs;
    uint32_t arena_bytes;
} msn_part;
typedef char msn_part_has_24_bytes[sizeof(msn_part) == 24 ? 1 : -1];

/* PROG: what a caller can ask for. */
typedef struct {
    uint32_t kind;
    uint32_t name;
    uint32_t first_face;
    uint16_t inputs;
    uint16_t outputs;
    uint32_t first_call;
    uint32_t calls;
} msn_program;
typedef char msn_program_has_24_bytes[sizeof(msn_program) == 24 ? 1 : -1];

/* CALL: one thing that a program does. */
typedef struct {
    uint16_t kind;
    uint8_t from_type;
    uint8_t to_type;
    uint32_t first_argument;
    uint32_t arguments;
    uint32_t subject;
    uint32_t count;
    uint32_t reserved;
    int64_t most;
} msn_call;
typedef char msn_call_has_32_bytes[sizeof(msn_call) == 32 ? 1 : -1];

/* ARGS: a place that a call reads or writes. */
typedef struct {
    uint32_t base;
    uint32_t offset;
    uint32_t advance;
    uint32_t bytes;
} msn_argument;
typedef char msn_argument_has_16_bytes[sizeof(msn_argument) == 16 ? 1 : -1];

/* PACK: the section begins with one such entry for each of the weights, the same weights in every layout. */
typedef struct {
    uint64_t offset;
    uint64_t bytes;
} msn_packed;
typedef char msn_packed_has_16_bytes[sizeof(msn_packed) == 16 ? 1 : -1];

/* GOLD: the section begins with this record. */
typedef struct {
    uint32_t program;
    uint32_t vectors;
    uint32_t vector_bytes;
    uint32_t between_resets;
} msn_golden;
typedef char msn_golden_has_16_bytes[sizeof(msn_golden) == 16 ? 1 : -1];

#endif
