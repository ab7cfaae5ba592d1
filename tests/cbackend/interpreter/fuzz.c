/* One input of a fuzzer is one network file: it is opened and, where it is sound, every program of it runs.
 *
 * Files, arena, inputs and outputs lie in memory of exactly their size, so that AddressSanitizer sees a byte beyond. A file may ask
 * for loops that take years; what takes longer than a few milliseconds is cut off. docs/interpreter.md says how to build it.
 */
#define _POSIX_C_SOURCE 200809L

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "msn.h"
#include "msn_format.h"
#include "msn_values.h"

enum { ENDS = 64, MOST = 1 << 20, MILLISECONDS = 20 };

static sigjmp_buf cut;

static void too_long(int signal)
{
    (void)signal;
    siglongjmp(cut, 1);
}

static void set_timer(int milliseconds)
{
    const struct itimerval timer = {{0, 0}, {0, 1000 * milliseconds}};
    setitimer(ITIMER_VIRTUAL, &timer, 0);
}

/* Inputs whose integers lie anywhere in their range. */
static void fill_input(void *input, const msn_face *face)
{
    const msn_target to = {input, face->ctype};
    uint64_t drawn = face->elements, range = (uint64_t)face->high - (uint64_t)face->low + 1;

    for (uint32_t i = 0; i < face->elements; i++) {
        drawn = drawn * 6364136223846793005u + 1442695040888963407u;
        const int64_t value = (int64_t)((uint64_t)face->low + (range ? (drawn >> 16) % range : drawn));
        msn_store(to, i, 1, &value, 1);
    }
}

static int makes_sense(const msn_network *network, const msn_program *p)
{
    const msn_face *faces = (const msn_face *)network->faces + p->first_face;
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < (uint32_t)p->inputs + p->outputs; i++) {
        bytes += (uint64_t)faces[i].elements * msn_type_bytes(faces[i].ctype);
    }
    return (uint32_t)p->inputs + p->outputs <= ENDS && bytes <= MOST;
}

static void run_program(const msn_network *network, uint32_t number, void *arena)
{
    const msn_program *p = (const msn_program *)network->programs + number;
    const msn_face *faces = (const msn_face *)network->faces + p->first_face;
    void *ends[ENDS + 1] = {0};

    for (uint32_t i = 0; i < (uint32_t)p->inputs + p->outputs; i++) {
        const size_t bytes = (size_t)faces[i].elements * msn_type_bytes(faces[i].ctype);
        ends[i] = malloc(bytes + !bytes);
        if (i < p->inputs) {
            fill_input(ends[i], &faces[i]);
        }
    }
    if (!sigsetjmp(cut, 1)) {
        set_timer(MILLISECONDS);
        msn_run(network, number, arena, (const void *const *)ends, ends + p->inputs);
    }
    set_timer(0);
    for (uint32_t i = 0; i < ENDS; i++) {
        free(ends[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    void *file = malloc(bytes + !bytes), *arena;
    struct sigaction action;
    msn_network network;

    memset(&action, 0, sizeof action);
    action.sa_handler = too_long;
    sigaction(SIGVTALRM, &action, 0);
    memcpy(file, data, bytes);
    if (msn_open(file, bytes, &network) == MSN_OK && msn_arena_bytes(&network) <= MOST) {
        arena = calloc(1, msn_arena_bytes(&network) + 1);
        for (uint32_t i = 0; i < network.programs_count && i < 8; i++) {
            if (makes_sense(&network, (const msn_program *)network.programs + i)) {
                run_program(&network, i, arena);
            }
        }
        free(arena);
    }
    free(file);
    return 0;
}
