/* The target of fuzz.c for AFL++, and for replaying files: each that is named or, without names, what AFL++ or stdin gives. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static unsigned char data[1 << 20];

#if defined __AFL_FUZZ_TESTCASE_LEN
__AFL_FUZZ_INIT();
#endif

static void replay(const char *name)
{
    FILE *file = fopen(name, "rb");
    if (!file) {
        fprintf(stderr, "%s cannot be read.\n", name);
        exit(2);
    }
    LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof data, file));
    fclose(file);
}

int main(int count, char **names)
{
    for (int i = 1; i < count; i++) {
        replay(names[i]);
    }
#if defined __AFL_FUZZ_TESTCASE_LEN
    __AFL_INIT();
    while (count == 1 && __AFL_LOOP(2000)) {
        LLVMFuzzerTestOneInput(__AFL_FUZZ_TESTCASE_BUF, (size_t)__AFL_FUZZ_TESTCASE_LEN);
    }
#else
    if (count == 1) {
        LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof data, stdin));
    }
#endif
    return 0;
}
