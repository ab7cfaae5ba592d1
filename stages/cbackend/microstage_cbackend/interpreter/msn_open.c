/* msn_open: all that is checked of a file, once and from the outside to the inside. */
#include "msn_check.h"
#include "msn_kernels.h"
#include "msn_values.h"

/* Fuzzers reach what lies behind the checksums only where these are not compared. */
#if defined FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
enum { MSN_CHECKSUMS = 0 };
#else
enum { MSN_CHECKSUMS = 1 };
#endif

enum { DIGEST = 32 };

static uint32_t crc_of_table(const unsigned char *file, const msn_header *header)
{
    static const unsigned char zeros[4] = {0};
    const size_t before = offsetof(msn_header, crc), all = sizeof *header + (size_t)header->sections * sizeof(msn_section);
    uint32_t crc = msn_crc(0, file, before);
    crc = msn_crc(crc, zeros, sizeof zeros);
    return msn_crc(crc, file + before + sizeof zeros, all - before - sizeof zeros);
}

msn_status msn_check_header(const unsigned char *file, size_t bytes)
{
    const msn_header *header = (const msn_header *)(const void *)file;

    if (bytes < sizeof header->magic || memcmp(file, "MSTAGENT", sizeof header->magic)) {
        return MSN_NO_NETWORK;
    }
    if (bytes < sizeof *header) {
        return MSN_TRUNCATED;
    }
    if (header->major != MSN_MAJOR) {
        return MSN_VERSION;
    }
    if (header->file_bytes > bytes) {
        return MSN_TRUNCATED;
    }
    if (header->header_bytes != sizeof *header || header->file_bytes < sizeof *header + DIGEST
        || header->sections > (header->file_bytes - sizeof *header - DIGEST) / sizeof(msn_section)) {
        return MSN_DAMAGED;
    }
    if (MSN_CHECKSUMS && header->crc != crc_of_table(file, header)) {
        return MSN_DAMAGED;
    }
    return header->arena_bytes % 8 || header->arena_bytes > INT32_MAX ? MSN_BROKEN : MSN_OK;
}

/* A row of records: where they begin and how many there are. */
static msn_status rows(const void **records, uint32_t *count, const unsigned char *at, uint64_t bytes, size_t record)
{
    if (*records || bytes % record || bytes / record > INT32_MAX) {
        return MSN_BROKEN;
    }
    *records = at;
    *count = (uint32_t)(bytes / record);
    return MSN_OK;
}

static msn_status keep_bytes(const unsigned char **kept, const unsigned char *at)
{
    if (*kept) {
        return MSN_BROKEN;
    }
    *kept = at;
    return MSN_OK;
}

/* A section of bytes that are no records of one kind. */
static msn_status keep_other(const msn_section *s, const unsigned char *at, msn_network *n)
{
    if (!memcmp(s->kind, "TEXT", 4)) {
        n->text_bytes = (uint32_t)s->bytes;
        return s->bytes && s->bytes <= INT32_MAX && !at[0] && !at[s->bytes - 1] ? keep_bytes(&n->text, at) : MSN_BROKEN;
    }
    if (!memcmp(s->kind, "CONS", 4)) {
        n->constants_bytes = (uint32_t)s->bytes;
        return s->bytes <= UINT32_MAX ? keep_bytes(&n->constants, at) : MSN_BROKEN;
    }
    if (!memcmp(s->kind, "GOLD", 4)) {
        n->golden_bytes = s->bytes;
        return keep_bytes(&n->golden, at);
    }
    if (!memcmp(s->kind, "PACK", 4) && s->layout >= MSN_LAYOUT_ROWS && s->layout <= MSN_LAYOUT_DEPTHWISE_BLOCKS) {
        n->packed_bytes[s->layout] = s->bytes;
        return keep_bytes(&n->packed[s->layout], at);
    }
    return MSN_OK; /* of a later version: skipped */
}

static msn_status keep(const msn_section *s, const unsigned char *at, msn_network *n)
{
    const struct { const char *kind; const void **records; uint32_t *count; size_t record; } known[] = {
        {"TENS", &n->tensors, &n->tensors_count, sizeof(msn_tensor)},   {"LAYR", &n->layers, &n->layers_count, sizeof(msn_layer)},
        {"PART", &n->parts, &n->parts_count, sizeof(msn_part)},         {"PROG", &n->programs, &n->programs_count, sizeof(msn_program)},
        {"CALL", &n->calls, &n->calls_count, sizeof(msn_call)},         {"ARGS", &n->places, &n->places_count, sizeof(msn_argument)},
        {"FACE", &n->faces, &n->faces_count, sizeof(msn_face)},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!memcmp(s->kind, known[i].kind, 4)) {
            return rows(known[i].records, known[i].count, at, s->bytes, known[i].record);
        }
    }
    return keep_other(s, at, n);
}

msn_status msn_check_sections(const unsigned char *file, msn_network *network)
{
    const msn_header *header = (const msn_header *)(const void *)file;
    const msn_section *sections = (const msn_section *)(const void *)(file + sizeof *header);
    const uint64_t first = sizeof *header + (uint64_t)header->sections * sizeof *sections, end = header->file_bytes - DIGEST;

    network->file = file;
    network->header = header;
    for (uint32_t i = 0; i < header->sections; i++) {
        const msn_section *s = &sections[i];
        if (s->offset % 64 || s->offset < first || s->offset > end || s->bytes > end - s->offset) {
            return MSN_BROKEN;
        }
        if (MSN_CHECKSUMS && s->crc != msn_crc(0, file + s->offset, (size_t)s->bytes)) {
            return MSN_DAMAGED;
        }
        const msn_status status = keep(s, file + s->offset, network);
        if (status) {
            return status;
        }
    }
    return network->text && network->constants && network->tensors && network->layers && network->parts && network->programs
                   && network->calls && network->places && network->faces
               ? MSN_OK
               : MSN_BROKEN;
}

msn_status msn_open(const void *file, size_t bytes, msn_network *network)
{
    static msn_status (*const checks[])(const msn_network *) = {msn_check_tensors, msn_check_faces, msn_check_parts, msn_check_programs};
    static const uint16_t one = 1;
    msn_status status = MSN_OK;

    if (!file || !network) {
        return MSN_NULL;
    }
    if (*(const uint8_t *)&one != 1) {
        return MSN_ENDIAN;
    }
    if ((uintptr_t)file % 8) {
        return MSN_UNALIGNED;
    }
    memset(network, 0, sizeof *network);
    status = msn_check_header(file, bytes);
    status = status ? status : msn_check_sections(file, network);
    network->kernels = msn_best_kernels();
    for (size_t i = 0; !status && i < sizeof checks / sizeof *checks; i++) {
        status = checks[i](network);
    }
    return status;
}

uint32_t msn_arena_bytes(const msn_network *network)
{
    return ((const msn_header *)network->header)->arena_bytes;
}

const char *msn_instructions(const msn_network *network)
{
    return network->kernels->instructions;
}
