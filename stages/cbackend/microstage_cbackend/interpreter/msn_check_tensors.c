/* Tensors lie inside the arena, the constants or the packed weights; faces describe what programs and parts take and give. */
#include "msn_check.h"
#include "msn_values.h"

static msn_status check_packed(const msn_network *network, const msn_tensor *t, uint64_t bytes)
{
    uint64_t there = 0;
    return msn_packed_at(network, MSN_LAYOUT_ROWS, t->offset, &there) && bytes <= there ? MSN_OK : MSN_BROKEN;
}

static msn_status check_tensor(const msn_network *network, const msn_tensor *t)
{
    const uint32_t arena = ((const msn_header *)network->header)->arena_bytes, each = msn_type_bytes(t->ctype);
    const uint64_t bytes = (uint64_t)t->elements * each;

    if (!each || bytes > INT32_MAX || t->name >= network->text_bytes) {
        return MSN_BROKEN;
    }
    switch (t->place) {
    case MSN_PLACE_ARENA:
        return t->offset % 8 == 0 && t->offset <= arena && bytes <= arena - t->offset && t->ctype != MSN_TYPE_DOUBLE ? MSN_OK : MSN_BROKEN;
    case MSN_PLACE_CONSTANT:
        return t->offset % 8 == 0 && t->offset <= network->constants_bytes && bytes <= network->constants_bytes - t->offset ? MSN_OK
                                                                                                                        : MSN_BROKEN;
    case MSN_PLACE_PACKED: return check_packed(network, t, bytes);
    case MSN_PLACE_ARGUMENT: return MSN_OK; /* held against the faces of its part */
    default: return MSN_UNKNOWN;
    }
}

msn_status msn_check_tensors(const msn_network *network)
{
    const msn_header *header = network->header;
    msn_status status = header->name < network->text_bytes ? MSN_OK : MSN_BROKEN;

    for (uint32_t i = 0; !status && i < network->tensors_count; i++) {
        status = check_tensor(network, msn_tensor_at(network, i));
    }
    return status;
}

/* Whether a number is absent or that of a constant of real numbers, at least `least`. */
static int are_reals(const msn_network *network, uint32_t number, int64_t least)
{
    const msn_tensor *t = msn_tensor_at(network, number);
    return number == MSN_ABSENT || (t && t->ctype == MSN_TYPE_DOUBLE && t->place == MSN_PLACE_CONSTANT && t->elements >= least);
}

static msn_status check_face(const msn_network *network, const msn_face *f)
{
    int64_t elements = 1;
    for (uint32_t i = 0; i < f->rank && i < 8; i++) {
        elements = msn_times(elements, f->shape[i]);
    }
    const int sizes = f->rank <= 8 && elements == f->elements && f->elements_of_step <= f->elements
                   && (uint64_t)f->elements * msn_type_bytes(f->ctype) <= INT32_MAX;
    const int type = msn_type_bytes(f->ctype) && f->ctype != MSN_TYPE_DOUBLE && f->rounding <= MSN_ROUNDING_THRESHOLDS;
    const int names = f->name < network->text_bytes && f->of < network->text_bytes && f->unit < network->text_bytes;
    const int reals = are_reals(network, f->scale, 1) && are_reals(network, f->offset, 1) && are_reals(network, f->thresholds, f->levels);
    const int inner = (f->scale == MSN_ABSENT || f->scale_inner) && (f->offset == MSN_ABSENT || f->offset_inner)
                   && (f->thresholds == MSN_ABSENT || f->thresholds_inner)
                   && (f->rounding != MSN_ROUNDING_THRESHOLDS || (f->thresholds != MSN_ABSENT && f->levels));
    return sizes && type && names && reals && inner ? MSN_OK : MSN_BROKEN;
}

msn_status msn_check_faces(const msn_network *network)
{
    const msn_face *faces = network->faces;
    msn_status status = MSN_OK;

    for (uint32_t i = 0; !status && i < network->faces_count; i++) {
        status = check_face(network, &faces[i]);
    }
    return status;
}
