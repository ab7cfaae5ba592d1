// Clocks the bench of one layer, which the first argument chooses, until it has given all of its beats.
// Code 1: none came for so long that none will.
#include <cstdlib>

#include "Vbench.h"
#include "verilated.h"

int main(int, char **words) {
    const long patience = 1L << 32;
    Vbench bench;
    bench.layer = std::atoi(words[1]);
    for (long half = 0; half < patience; half++) {
        bench.rst_n = half >= 32;
        bench.clk = half & 1;
        bench.eval();
        if (bench.rst_n && bench.done) {
            bench.final();
            return 0;
        }
    }
    return 1;
}
