/* Answers of a generated network to real numbers: VECTORS times the inputs from standard input, the outputs to standard output, as float32.
 * HEADER, ARENA, CTX, INFER, OK, and the sizes and arguments of the network are given by the compiler's command line. */
#include HEADER

#include <stdio.h>

static ARENA arena;
static float in[INPUTS], out[OUTPUTS];

int main(void)
{
    const CTX ctx = { &arena };
    while (fread(in, sizeof(float), INPUTS, stdin) == INPUTS) {
        if (INFER(&ctx, ARGUMENTS) != OK) {
            return 1;
        }
        fwrite(out, sizeof(float), OUTPUTS, stdout);
    }
    return 0;
}
