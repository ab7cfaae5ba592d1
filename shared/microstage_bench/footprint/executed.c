/* A plugin of qemu (API version 1): which blocks of code one call executes, and how often.
 *
 *     -plugin executed.so,first=ADDRESS,low=ADDRESS,high=ADDRESS,out=FILE
 *
 * Counts from the first block at `first` until one in low..high-1, its caller, is reached. FILE then has a line a block,
 * "ADDRESS INSTRUCTIONS RUNS LEFT" (how often what came next did not stand behind it), and one "penalty N": cycles that
 * a Cortex-M4 takes for words and half words that are not aligned.
 *
 * qemu's package brings no header: what is used of its interface is declared here.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
typedef struct qemu_plugin_tb translated;
typedef struct qemu_plugin_insn instruction;
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, translated *));
void qemu_plugin_register_vcpu_tb_exec_cb(translated *, void (*)(unsigned, void *), int flags, void *);
void qemu_plugin_register_vcpu_mem_cb(instruction *, void (*)(unsigned, uint32_t, uint64_t, void *), int flags, int rw,
                                      void *);
void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
size_t qemu_plugin_tb_n_insns(const translated *);
instruction *qemu_plugin_tb_get_insn(const translated *, size_t);
uint64_t qemu_plugin_insn_vaddr(const instruction *);
size_t qemu_plugin_insn_size(const instruction *);
unsigned qemu_plugin_mem_size_shift(uint32_t);

enum { NO_REGISTERS = 0, READS_AND_WRITES = 3 };

typedef struct block {
    uint64_t address, behind, instructions, runs, left;
    struct block *next;
} block;

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

static enum { BEFORE, INSIDE, AFTER } state;
static uint64_t first, low, high, penalty;
static const char *out;
static block *blocks, *previous;

static void run(unsigned cpu, void *data)
{
    block *b = data;
    (void)cpu;
    if (state == AFTER || (state == BEFORE && b->address != first)) {
        return;
    }
    if (previous) {
        previous->left += b->address != previous->behind;
    }
    state = state == INSIDE && b->address >= low && b->address < high ? AFTER : INSIDE;
    b->runs += state == INSIDE;
    previous = b;
}

static void accessed(unsigned cpu, uint32_t info, uint64_t address, void *data)
{
    const unsigned size = 1u << qemu_plugin_mem_size_shift(info);
    (void)cpu, (void)data;
    if (state == INSIDE && size <= 4 && address % size) {
        penalty += address % 2 && size == 4 ? 2 : 1;
    }
}

static void translate(plugin_id id, translated *code)
{
    const size_t count = qemu_plugin_tb_n_insns(code);
    const instruction *last = qemu_plugin_tb_get_insn(code, count - 1);
    const uint64_t address = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(code, 0));
    block *b = blocks;
    (void)id;
    while (b && (b->address != address || b->instructions != count)) {
        b = b->next;
    }
    if (!b) {
        b = calloc(1, sizeof *b);
        *b = (block){address, qemu_plugin_insn_vaddr(last) + qemu_plugin_insn_size(last), count, 0, 0, blocks};
        blocks = b;
    }
    qemu_plugin_register_vcpu_tb_exec_cb(code, run, NO_REGISTERS, b);
    for (size_t n = 0; n < count; n++) {
        qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(code, n), accessed, NO_REGISTERS, READS_AND_WRITES,
                                         NULL);
    }
}

static void finish(plugin_id id, void *data)
{
    FILE *file = fopen(out, "w");
    (void)id, (void)data;
    for (const block *b = blocks; file && b; b = b->next) {
        if (b->runs) {
            fprintf(file, "%" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", b->address, b->instructions, b->runs,
                    b->left);
        }
    }
    if (file) {
        fprintf(file, "penalty %" PRIu64 "\n", penalty);
        fclose(file);
    }
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *machine, int count,
                                                               char **words)
{
    (void)machine;
    for (int n = 0; n < count; n++) {
        char *value = strchr(words[n], '=') + 1;
        const uint64_t number = strtoull(value, NULL, 0);
        switch (words[n][0]) {
        case 'f': first = number; break;
        case 'l': low = number; break;
        case 'h': high = number; break;
        default: out = value;
        }
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
    qemu_plugin_register_atexit_cb(id, finish, NULL);
    return 0;
}
