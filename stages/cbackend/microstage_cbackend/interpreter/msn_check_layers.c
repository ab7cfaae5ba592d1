/* Parts, and what all layers have in common: operands that exist, sizes of at least their least, scratch inside the arena. */
#include "msn_check.h"
#include "msn_kernels.h"
#include "msn_values.h"

/* Of each kernel: its check, and the least that each size may be: 1 or 0, - of what may be negative, . of what the check looks at. */
typedef struct {
    msn_status (*check)(const msn_checked *c);
    const char *least;
} msn_kernel_check;

static const msn_kernel_check kernel_checks[] = {
    {0, ""},
    {msn_check_dots, "111"},                   /* linear */
    {msn_check_dots, "1111"},                  /* linear_packed */
    {msn_check_dots, "11111111111110" "0-"},   /* conv2d */
    {msn_check_dots, "11111111111110" "0-1"},  /* conv2d_packed */
    {msn_check_dots, "11111111111110" "0-"},   /* depthwise */
    {msn_check_windows, "11111111111" "00-"},  /* im2col */
    {msn_check_windows, "111111111100"},       /* max_pool */
    {msn_check_windows, "111111111100"},       /* sum_pool */
    {msn_check_windows, "111111111100"},       /* or_pool */
    {msn_check_pairs, "1111--------"},         /* add */
    {msn_check_pairs, "1111--------"},         /* mul */
    {msn_check_pairs, "1111--------"},         /* blend */
    {msn_check_moves, "1111-----" "-----"},    /* copy */
    {msn_check_moves, "1"},                    /* gather */
    {msn_check_moves, "111"},                  /* stage */
    {msn_check_moves, "1-"},                   /* table */
    {msn_check_answers, "1111"},               /* softmax */
    {msn_check_answers, "11110"},              /* top */
    {msn_check_moves, "1111"},                 /* take */
    {msn_check_words, "111"},                  /* pack */
    {msn_check_words, "11111100000000" "0"},   /* xnor_sums */
    {msn_check_words, "11111100000000"},       /* xnor_bits */
    {msn_check_bytes, "11111110000001"},       /* conv_u8 */
    {msn_check_bytes, "11111110000001"},       /* conv_u8_sums */
    {msn_check_bytes, "11111000000"},          /* depthwise_u8 */
    {msn_check_bytes, "11111000000"},          /* average_u8 */
    {msn_check_bytes, "1---0--000"},           /* add_u8 */
    {msn_check_bytes, "11100000" "0000"},      /* pad_u8 */
    {msn_check_bytes, "11100000" "0000"},      /* frame_u8 */
};

/* Sizes stay so small that sums of two fit int32_t. */
enum { MOST = 1 << 30 };

static int sizes_are_sane(const int32_t *shape, const char *least)
{
    for (; *least; least++, shape++) {
        const int32_t low = *least == '1' ? 1 : *least == '0' ? 0 : INT32_MIN;
        if (*shape < low || (*least != '-' && *shape > MOST)) {
            return 0;
        }
    }
    return 1;
}

/* An argument has a face of its type, with as many elements; what is written is an output. */
static msn_status check_argument(const msn_network *network, const msn_part *part, const msn_tensor *t, int written)
{
    const msn_face *face = (const msn_face *)network->faces + part->first_face + t->offset;
    const uint32_t all = (uint32_t)part->inputs + part->outputs;
    const int there = t->offset < all && (!written || t->offset >= part->inputs);
    return there && face->ctype == t->ctype && face->elements >= t->elements ? MSN_OK : MSN_BROKEN;
}

static msn_status check_operand(msn_checked *c, const msn_part *part, int operand)
{
    const uint32_t number = c->layer->operands[operand], start = c->layer->starts[operand];
    const msn_tensor *t = msn_tensor_at(c->network, number);

    if (number == MSN_ABSENT) {
        return MSN_OK;
    }
    if (!t || start > t->elements || t->ctype == MSN_TYPE_DOUBLE) {
        return MSN_BROKEN;
    }
    if (t->place == MSN_PLACE_ARENA && t->offset + (uint64_t)t->elements * msn_type_bytes(t->ctype) > part->arena_bytes) {
        return MSN_BROKEN;
    }
    if (operand == MSN_Y ? t->place == MSN_PLACE_CONSTANT || t->place == MSN_PLACE_PACKED
                         : t->place == MSN_PLACE_PACKED && (operand != MSN_W || start)) {
        return MSN_BROKEN;
    }
    c->operands[operand] = t;
    c->before[operand] = start;
    c->room[operand] = (int64_t)t->elements - start;
    return t->place == MSN_PLACE_ARGUMENT ? check_argument(c->network, part, t, operand == MSN_Y) : MSN_OK;
}

static msn_status check_layer(const msn_network *network, const msn_part *part, const msn_layer *layer)
{
    msn_checked c = {network, layer, layer->shape, {0}, {0}, {0}};
    msn_status status = MSN_OK;

    if (layer->kernel == 0 || layer->kernel >= sizeof kernel_checks / sizeof *kernel_checks
        || !msn_function_of(network->kernels, layer->kernel)) {
        return MSN_UNKNOWN;
    }
    if (layer->name >= network->text_bytes || layer->operator >= network->text_bytes || layer->scratch % 8
        || (uint64_t)layer->scratch + layer->scratch_bytes > part->arena_bytes) {
        return MSN_BROKEN;
    }
    for (int operand = 0; !status && operand < 4; operand++) {
        status = check_operand(&c, part, operand);
    }
    if (status) {
        return status;
    }
    return c.operands[MSN_Y] && sizes_are_sane(layer->shape, kernel_checks[layer->kernel].least) ? kernel_checks[layer->kernel].check(&c)
                                                                                                 : MSN_BROKEN;
}

static msn_status check_part(const msn_network *network, const msn_part *part)
{
    const msn_layer *layers = network->layers;
    msn_status status = MSN_OK;

    if (part->name >= network->text_bytes || (uint64_t)part->first_layer + part->layers > network->layers_count
        || (uint64_t)part->first_face + part->inputs + part->outputs > network->faces_count
        || part->arena_bytes > ((const msn_header *)network->header)->arena_bytes) {
        return MSN_BROKEN;
    }
    for (uint32_t i = 0; !status && i < part->layers; i++) {
        status = check_layer(network, part, &layers[part->first_layer + i]);
    }
    return status;
}

msn_status msn_check_parts(const msn_network *network)
{
    const msn_part *parts = network->parts;
    msn_status status = MSN_OK;

    for (uint32_t i = 0; !status && i < network->parts_count; i++) {
        status = check_part(network, &parts[i]);
    }
    return status;
}
