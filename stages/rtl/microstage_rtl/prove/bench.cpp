// Replay beats through the top module and compare what comes out, integer by integer.
//
//   bench INPUT EXPECTED [SEED] [STALL]
//
// INPUT has a beat a line: "tuser tlast data"; EXPECTED "tlast data"; data is hexadecimal, tdata's width.
// STALL, in percent, is how often a side holds back for a cycle: the sender keeps tvalid low, the receiver tready.
// Exit code 0: all equal. 1: some differ, or a rule of AXI-Stream is broken. 2: nothing moved for a long time.
#include "Vdut.h"
#include "verilated.h"

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

struct Beat {
    unsigned user, last;
    uint64_t data;
};

static std::vector<Beat> read_beats(const char *path, bool has_user) {
    FILE *file = std::fopen(path, "r");
    if (!file) {
        std::fprintf(stderr, "bench: %s cannot be read\n", path);
        std::exit(2);
    }
    std::vector<Beat> beats;
    Beat beat = {0, 0, 0};
    while (has_user ? std::fscanf(file, "%u %u %" SCNx64, &beat.user, &beat.last, &beat.data) == 3
                    : std::fscanf(file, "%u %" SCNx64, &beat.last, &beat.data) == 2)
        beats.push_back(beat);
    const bool whole = std::feof(file);
    std::fclose(file);
    if (!whole || beats.empty()) {
        std::fprintf(stderr, "bench: %s: line %zu is no beat\n", path, beats.size() + 1);
        std::exit(2);
    }
    return beats;
}

static const uint64_t PATIENCE = 50000000;  // cycles without a beat
static const unsigned SHOWN = 10;           // differences that are printed

int main(int argc, char **argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: bench INPUT EXPECTED [SEED] [STALL]\n");
        return 2;
    }
    const std::vector<Beat> input = read_beats(argv[1], true), expected = read_beats(argv[2], false);
    std::mt19937 random(argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 1);
    const unsigned stall = argc > 4 ? std::strtoul(argv[4], nullptr, 10) : 0;
    const auto held = [&] { return stall && random() % 100 < stall; };

    const auto context = std::make_unique<VerilatedContext>();
    const auto top = std::make_unique<Vdut>(context.get());
    size_t sent = 0, received = 0, differ = 0;
    uint64_t cycles = 0, moved = 0, first = 0, kept_data = 0;
    unsigned kept_last = 0;
    bool waiting = false, offering = false;

    top->clk = 0;
    top->rst_n = 0;
    top->s_axis_tvalid = top->s_axis_tuser = top->s_axis_tlast = top->m_axis_tready = 0;
    top->s_axis_tdata = 0;
    for (int half = 0; half < 16; ++half) {
        top->clk = !top->clk;
        top->eval();
    }
    top->rst_n = 1;

    while (received < expected.size()) {
        // Signals change while the clock is low, and a beat moves at the edge where valid and ready are high.
        if (!offering && sent < input.size() && !held()) offering = true;
        top->s_axis_tvalid = offering;
        if (offering) {
            top->s_axis_tdata = input[sent].data;
            top->s_axis_tuser = input[sent].user;
            top->s_axis_tlast = input[sent].last;
        }
        top->m_axis_tready = !held();
        top->clk = 0;
        top->eval();
        if (waiting && (!top->m_axis_tvalid || top->m_axis_tdata != kept_data || top->m_axis_tlast != kept_last)) {
            std::fprintf(stderr, "bench: beat %zu changed before it was taken\n", received);
            return 1;
        }
        const bool takes = offering && top->s_axis_tready, gives = top->m_axis_tvalid && top->m_axis_tready;
        waiting = top->m_axis_tvalid && !top->m_axis_tready;
        kept_data = top->m_axis_tdata;
        kept_last = top->m_axis_tlast;
        if (gives) {
            const Beat &want = expected[received];
            if (kept_data != want.data || kept_last != want.last) {
                if (differ++ < SHOWN)
                    std::fprintf(stderr, "bench: beat %zu is %" PRIx64 " last %u, expected %" PRIx64 " last %u\n",
                                 received, kept_data, kept_last, want.data, want.last);
            }
            ++received;
        }
        if (takes) {
            if (sent++ == 0) first = cycles;
            offering = false;
        }
        top->clk = 1;
        top->eval();
        ++cycles;
        if (takes || gives) moved = cycles;
        if (cycles - moved > PATIENCE) {
            std::fprintf(stderr, "bench: nothing moved for %" PRIu64 " cycles: %zu of %zu beats sent, %zu of %zu received\n",
                         PATIENCE, sent, input.size(), received, expected.size());
            return 2;
        }
    }
    top->final();
    if (sent < input.size()) {
        std::fprintf(stderr, "bench: %zu beats of input were not taken\n", input.size() - sent);
        return 1;
    }
    std::printf("compared %zu differ %zu cycles %" PRIu64 "\n", received, differ, cycles - first);
    return differ ? 1 : 0;
}
