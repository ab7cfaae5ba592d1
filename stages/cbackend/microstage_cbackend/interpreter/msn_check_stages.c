/* The constants of a stage: as many as there are channels, of the types that it reads; shifts that its arithmetic can do. */
#include "msn_check.h"
#include "msn_values.h"

/* Of each stage: types of its arrays, and which of its numbers is a shift, from `least` on to `most`. */
typedef struct {
    uint8_t types[4];
    int8_t shift, least, most;
} msn_stage_check;

#define I16 MSN_TYPE_INT16
#define I32 MSN_TYPE_INT32
#define I64 MSN_TYPE_INT64

static const msn_stage_check stage_checks[] = {
    {{0}, -1, 0, 0},                 /* none */
    {{0}, -1, 0, 0},                 /* raw32 */
    {{0}, -1, 0, 0},                 /* raw64 */
    {{I32, I32}, 0, 0, 62},          /* affine32 */
    {{I32, I64}, 0, 0, 62},          /* affine64 */
    {{I32, I64}, 0, 1, 62},          /* even64 */
    {{I32, I64, I64}, 0, 0, 62},     /* kink64 */
    {{I64, I64, I32, I32}, 0, 0, 62}, /* wide64 */
    {{I16}, -1, 0, 0},               /* search16 */
    {{I32}, -1, 0, 0},               /* search32 */
    {{I64}, -1, 0, 0},               /* search64 */
    {{I32, I32}, 1, 0, 31},          /* shared32 */
    {{I32, I64, I64}, 0, 1, 62},     /* requant */
};

/* Whether array number n of the layer's stage is a constant of its type with `least` elements. */
static int has_array(const msn_checked *c, int n, int64_t least)
{
    const msn_tensor *t = msn_tensor_at(c->network, c->layer->arrays[n]);
    return t && t->place == MSN_PLACE_CONSTANT && t->ctype == stage_checks[c->layer->stage].types[n] && t->elements >= least;
}

static msn_status check_search(const msn_checked *c, int64_t channels)
{
    const int32_t *n = c->layer->numbers, rows = n[0], levels = n[1];
    if (rows < 1 || levels < 0 || (rows != 1 && rows < channels)) {
        return MSN_BROKEN;
    }
    return levels == 0 || has_array(c, 0, msn_times(rows, levels)) ? MSN_OK : MSN_BROKEN;
}

/* Numbers so small that the specialised kernels' sums fit 64 bits whatever the sum: |offset| + kink < 2^62. */
static msn_status check_requant(const msn_checked *c, int64_t channels)
{
    const int kinked = c->layer->arrays[2] != MSN_ABSENT;
    const int64_t most = (int64_t)1 << 62, *offset, *kink;

    if (!has_array(c, 0, channels) || !has_array(c, 1, channels) || (kinked && !has_array(c, 2, channels))) {
        return MSN_BROKEN;
    }
    offset = (const int64_t *)(const void *)msn_constant_at(c->network, msn_tensor_at(c->network, c->layer->arrays[1]));
    kink = kinked ? (const int64_t *)(const void *)msn_constant_at(c->network, msn_tensor_at(c->network, c->layer->arrays[2])) : 0;
    for (int64_t i = 0; i < channels; i++) {
        const int64_t below = kink ? kink[i] : 0;
        if (below < 0 || below >= most || offset[i] <= below - most || offset[i] >= most - below) {
            return MSN_TOO_LARGE;
        }
    }
    return MSN_OK;
}

msn_status msn_check_stage(const msn_checked *c, int64_t channels)
{
    const uint16_t stage = c->layer->stage;

    if (stage >= sizeof stage_checks / sizeof *stage_checks) {
        return MSN_UNKNOWN;
    }
    const msn_stage_check *s = &stage_checks[stage];
    if (s->shift >= 0 && (c->layer->numbers[s->shift] < s->least || c->layer->numbers[s->shift] > s->most)) {
        return MSN_BROKEN;
    }
    if (stage == MSN_STAGE_REQUANT) {
        return check_requant(c, channels);
    }
    if (stage >= MSN_STAGE_SEARCH16 && stage <= MSN_STAGE_SEARCH64) {
        return check_search(c, channels);
    }
    if (stage == MSN_STAGE_SHARED32) {
        const int32_t levels = c->layer->numbers[0];
        return levels >= 0 && (levels == 0 || has_array(c, 0, levels)) && has_array(c, 1, channels) ? MSN_OK : MSN_BROKEN;
    }
    for (int n = 0; n < 4 && s->types[n]; n++) {
        if (!has_array(c, n, channels)) {
            return MSN_BROKEN;
        }
    }
    return MSN_OK;
}
