#include "msn_values.h"

#define EACH_TYPE(M)                                                                                           \
    M(MSN_TYPE_INT8, int8_t) M(MSN_TYPE_UINT8, uint8_t) M(MSN_TYPE_INT16, int16_t) M(MSN_TYPE_UINT16, uint16_t) \
    M(MSN_TYPE_INT32, int32_t) M(MSN_TYPE_INT64, int64_t) M(MSN_TYPE_UINT64, uint64_t)

uint32_t msn_type_bytes(uint32_t type)
{
    static const uint8_t bytes[] = {0, 1, 1, 2, 2, 4, 8, 8, 8};
    return type < sizeof bytes ? bytes[type] : 0;
}

int32_t msn_run_of(int64_t left)
{
    return left < MSN_RUN ? (int32_t)left : MSN_RUN;
}

#define LOAD(number, type)                                             \
    case number: {                                                     \
        const type *values = (const type *)(const void *)from.at + start; \
        for (int32_t i = 0; step == 1 && i < count; i++) {             \
            to[i] = (int64_t)values[i];                                \
        }                                                              \
        for (int32_t i = 0; step != 1 && i < count; i++) {             \
            to[i] = (int64_t)values[i * step];                         \
        }                                                              \
        break;                                                         \
    }

void msn_load(int64_t *to, msn_source from, int64_t start, int64_t step, int32_t count)
{
    switch (from.type) {
        EACH_TYPE(LOAD)
    }
}

#define STORE(number, type)                                \
    case number: {                                         \
        type *values = (type *)(void *)to.at + start;      \
        for (int32_t i = 0; step == 1 && i < count; i++) { \
            values[i] = (type)from[i];                     \
        }                                                  \
        for (int32_t i = 0; step != 1 && i < count; i++) { \
            values[i * step] = (type)from[i];              \
        }                                                  \
        break;                                             \
    }

void msn_store(msn_target to, int64_t start, int64_t step, const int64_t *from, int32_t count)
{
    switch (to.type) {
        EACH_TYPE(STORE)
    }
}

#define FILL(number, type)                            \
    case number: {                                    \
        type *values = (type *)(void *)to.at + start; \
        for (int64_t i = 0; i < count; i++) {         \
            values[i] = (type)value;                  \
        }                                             \
        break;                                        \
    }

void msn_fill(msn_target to, int64_t start, int64_t value, int64_t count)
{
    switch (to.type) {
        EACH_TYPE(FILL)
    }
}

int64_t msn_value(msn_source from, int64_t place)
{
    int64_t value = 0;
    msn_load(&value, from, place, 1, 1);
    return value;
}
