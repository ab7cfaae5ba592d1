/* Sizes and operands, for the checks. */
#include "msn_check.h"
#include "msn_values.h"

int64_t msn_times(int64_t a, int64_t b)
{
    return a > 0 && b > 0 && a > MSN_FAR / b ? MSN_FAR : a * b;
}

int64_t msn_plus(int64_t a, int64_t b)
{
    return a > MSN_FAR - b ? MSN_FAR : a + b;
}

int64_t msn_all(const int32_t *sizes, int32_t count)
{
    int64_t product = 1;
    for (int32_t i = 0; i < count; i++) {
        product = msn_times(product, sizes[i]);
    }
    return product;
}

int64_t msn_last(int64_t count, int64_t step)
{
    return msn_times(count - 1, step);
}

int msn_has(const msn_checked *c, int operand, int64_t needed)
{
    return c->operands[operand] && needed <= c->room[operand];
}

int msn_is(const msn_checked *c, int operand, uint32_t types)
{
    return c->operands[operand] && (types >> c->operands[operand]->ctype & 1);
}

const msn_tensor *msn_tensor_at(const msn_network *network, uint32_t number)
{
    return number < network->tensors_count ? (const msn_tensor *)network->tensors + number : 0;
}

const uint8_t *msn_constant_at(const msn_network *network, const msn_tensor *tensor)
{
    return network->constants + tensor->offset;
}

const uint8_t *msn_packed_at(const msn_network *network, uint32_t layout, uint32_t number, uint64_t *bytes)
{
    const uint64_t size = network->packed_bytes[layout];
    if (!network->packed[layout] || ((uint64_t)number + 1) * sizeof(msn_packed) > size) {
        return 0;
    }
    const msn_packed *entry = (const msn_packed *)(const void *)network->packed[layout] + number;
    if (!entry->bytes || entry->offset % 64 || entry->offset > size || entry->bytes > size - entry->offset) {
        return 0;
    }
    *bytes = entry->bytes;
    return network->packed[layout] + entry->offset;
}
