/* A part: its layers in order, each given its memory. */
#include "msn_check.h"
#include "msn_kernels.h"
#include "msn_running.h"
#include "msn_values.h"
#include "msn_weights.h"

/* Where a tensor begins that is no packed weight; null of an absent one. */
static uint8_t *start_of(const msn_running *run, const msn_tensor *t)
{
    switch (t->place) {
    case MSN_PLACE_ARENA: return run->arena + t->offset;
    case MSN_PLACE_ARGUMENT: return msn_place_of(run, t->offset);
    default: return (uint8_t *)(uintptr_t)msn_constant_at(run->network, t); /* is never written */
    }
}

static msn_target operand_of(const msn_running *run, const msn_layer *layer, int operand, const msn_kernels **kernels)
{
    const msn_tensor *t = msn_tensor_at(run->network, layer->operands[operand]);
    msn_target found = {0, 0};

    if (!t) {
        return found;
    }
    found.type = t->ctype;
    found.at = t->place == MSN_PLACE_PACKED ? (uint8_t *)(uintptr_t)msn_weights(run->network, layer, kernels)
                                            : start_of(run, t) + (size_t)layer->starts[operand] * msn_type_bytes(t->ctype);
    return found;
}

static msn_source source_of(const msn_running *run, const msn_layer *layer, int operand, const msn_kernels **kernels)
{
    const msn_target found = operand_of(run, layer, operand, kernels);
    const msn_source source = {found.at, found.type};
    return source;
}

static void run_layer(const msn_running *run, const msn_layer *layer)
{
    const msn_kernels *kernels = run->network->kernels;
    const msn_tensor *w = msn_tensor_at(run->network, layer->operands[MSN_W]);
    msn_work work;

    work.layer = layer;
    work.x = source_of(run, layer, MSN_X, &kernels);
    work.w = source_of(run, layer, MSN_W, &kernels);
    work.third = source_of(run, layer, MSN_THIRD, &kernels);
    work.y = operand_of(run, layer, MSN_Y, &kernels);
    work.scratch = run->arena + layer->scratch;
    work.w_elements = w ? w->elements - layer->starts[MSN_W] : 0;
    for (int i = 0; i < 4; i++) {
        const msn_tensor *t = msn_tensor_at(run->network, layer->arrays[i]);
        work.arrays[i] = t ? start_of(run, t) : 0;
    }
    msn_function_of(kernels, layer->kernel)(&work);
}

void msn_run_part(const msn_running *run, const msn_part *part)
{
    const msn_layer *layers = (const msn_layer *)run->network->layers + part->first_layer;
    for (uint32_t i = 0; i < part->layers; i++) {
        run_layer(run, &layers[i]);
    }
}
