/* npy.h: arrays in NumPy's file format, or raw bytes. */
#ifndef NPY_H
#define NPY_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const unsigned char *values;
    size_t count;
    uint32_t type; /* MSN_TYPE_... */
    int is_real;   /* float32 where `type` is 0, else float64 */
    void *given;   /* memory to free */
} array;

/* A .npy file; any other is raw integers of type `otherwise`. Ends with a sentence where it cannot be read. */
array read_array(const char *name, uint32_t otherwise);

double real_at(const array *a, size_t i);

/* Write integers of `type` as [vectors][elements]. */
void write_array(const char *name, const void *values, uint32_t type, size_t vectors, size_t elements);

#endif
