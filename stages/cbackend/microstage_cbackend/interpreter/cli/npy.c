#include "npy.h"

#include <stdio.h>
#include <string.h>

#include "msn_values.h"
#include "opened.h"

/* NumPy's names of types, by their numbers here. */
static const char *const types[] = {"", "|i1", "|u1", "<i2", "<u2", "<i4", "<i8", "<u8", "<f8"};

/* What stands behind 'descr': in the header. */
static uint32_t type_in(const char *name, const char *header)
{
    const char *said = strstr(header, "'descr': '");

    for (uint32_t i = 1; said && i < sizeof types / sizeof *types; i++) {
        if (!strncmp(said + 10, types[i], 3)) {
            return i;
        }
    }
    if (!said || strncmp(said + 10, "<f4", 3)) {
        fail(name, "holds numbers of another type; save integers, or float32 or float64, little-endian.");
    }
    return 0;
}

/* The header of a .npy file as text, and where its numbers begin. */
static size_t read_header(const char *name, const unsigned char *file, size_t bytes, char *header, size_t room)
{
    const size_t start = file[6] < 2 ? 10 : 12, length = file[8] | (size_t)file[9] << 8;

    if (bytes < start + length || length >= room) {
        fail(name, "is a damaged .npy file.");
    }
    memcpy(header, file + start, length);
    header[length] = 0;
    if (strstr(header, "'fortran_order': True")) {
        fail(name, "is stored column by column; save numpy.ascontiguousarray of it.");
    }
    return start + length;
}

array read_array(const char *name, uint32_t otherwise)
{
    size_t bytes, start = 0;
    void *given;
    const unsigned char *file = read_file(name, &bytes, &given);
    char header[4096];
    array a = {file, 0, otherwise, 0, given};

    if (bytes >= 12 && !memcmp(file, "\x93NUMPY", 6)) {
        start = read_header(name, file, bytes, header, sizeof header);
        a.type = type_in(name, header);
        a.is_real = a.type == 0 || a.type == MSN_TYPE_DOUBLE;
    }
    a.values = file + start;
    a.count = (bytes - start) / (a.type ? msn_type_bytes(a.type) : sizeof(float));
    return a;
}

double real_at(const array *a, size_t i)
{
    float narrow;
    double wide;

    if (a->type) {
        memcpy(&wide, a->values + i * sizeof wide, sizeof wide);
        return wide;
    }
    memcpy(&narrow, a->values + i * sizeof narrow, sizeof narrow);
    return (double)narrow;
}

void write_array(const char *name, const void *values, uint32_t type, size_t vectors, size_t elements)
{
    FILE *file = fopen(name, "wb");
    char header[118];
    int failed = !file;

    memset(header, ' ', sizeof header);
    const int length = snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (%lu, %lu), }", types[type],
                                (unsigned long)vectors, (unsigned long)elements);
    header[length] = ' ';
    header[sizeof header - 1] = '\n';
    if (file) {
        const size_t bytes = vectors * elements * msn_type_bytes(type);
        failed |= fwrite("\x93NUMPY\1\0\x76\0", 1, 10, file) != 10 || fwrite(header, 1, sizeof header, file) != sizeof header;
        failed |= fwrite(values, 1, bytes, file) != bytes;
        failed |= fclose(file) != 0;
    }
    if (failed) {
        fail(name, "cannot be written.");
    }
}
