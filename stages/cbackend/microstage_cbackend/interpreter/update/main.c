/* main.c: a device that gets new networks without new firmware.
 *
 * At every start it takes the newest of two networks that passes its trial, and so falls back where one does not. Then it looks for
 * a new one, which arrives a few bytes at a time, as over a wire: here from the host's file `update.msn`. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "slots.h"
#include "trial.h"

enum { PIECE = 256 };

static msn_network network;

static const char *name_of(const msn_network *opened)
{
    return (const char *)opened->text + ((const msn_header *)opened->header)->name;
}

/* The slot of the newest network that passes, -1 where none does; `network` is open then. */
static int start(void)
{
    int order[SLOTS] = {0, 1};

    if (slot_read(1).update > slot_read(0).update) {
        order[0] = 1;
        order[1] = 0;
    }
    for (int i = 0; i < SLOTS; i++) {
        const slot there = slot_read(order[i]);
        const char *wrong = there.update ? trial(there.file, there.bytes, &network) : "There is no network.";
        if (!wrong) {
            printf("slot %d runs update %" PRIu32 ": %s\n", order[i], there.update, name_of(&network));
            return order[i];
        }
        printf("slot %d: %s\n", order[i], wrong);
    }
    return -1;
}

/* Writes what arrives into a slot; its bytes, or 0 where it is not taken. */
static uint32_t receive(FILE *wire, int to)
{
    uint8_t piece[PIECE];
    size_t count = fread(piece, 1, PIECE, wire);
    msn_header header;
    uint32_t place = 0;

    memcpy(&header, piece, sizeof header);
    if (count < sizeof header || memcmp(header.magic, "MSTAGENT", 8) || header.file_bytes > SLOT_ROOM) {
        puts("refused: What arrives is no network file, or one that a slot does not hold.");
        return 0;
    }
    if (slot_erase(to, (uint32_t)header.file_bytes)) {
        puts("refused: The flash could not be erased.");
        return 0;
    }
    while (count && place < header.file_bytes) {
        const uint32_t left = (uint32_t)header.file_bytes - place, taken = count < left ? (uint32_t)count : left;
        if (slot_write(to, place, piece, taken)) {
            puts("refused: The flash does not hold what was written.");
            return 0;
        }
        place += taken;
        count = fread(piece, 1, PIECE, wire);
    }
    return place;
}

/* Takes a new network, if one arrives: written, tried, and only then switched to. */
static void update(int active)
{
    FILE *wire = fopen("update.msn", "rb");
    const int to = active == 0 ? 1 : 0;
    const uint32_t number = active < 0 ? 1 : slot_read(active).update + 1;
    msn_network arrived;

    if (!wire) {
        return;
    }
    const uint32_t bytes = receive(wire, to);
    const char *wrong = bytes ? trial(slot_file(to), bytes, &arrived) : 0;
    fclose(wire);
    if (wrong) {
        printf("refused: %s\n", wrong);
    } else if (bytes && !slot_commit(to, number, bytes)) {
        network = arrived;
        printf("slot %d runs update %" PRIu32 ": %s\n", to, number, name_of(&network));
    }
}

int main(void)
{
    slots_open();
    update(start());
    if (!network.file) {
        puts("no network");
        return 1;
    }
    const int32_t different = golden_run(&network, 0);
    printf("%s answers %s\n", name_of(&network), different ? "WRONGLY" : "as it should");
    return different != 0;
}
