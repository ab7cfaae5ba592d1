/* microstage-run: infers with a network that it reads from a file. docs/interpreter.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "golden.h"
#include "show.h"

static const char usage[] =
    "microstage-run net.msn [input.npy | input.bin]... [--output out.npy]   infer; real numbers are quantised as the file says\n"
    "microstage-run net.msn --info | --layers                               what is in it\n"
    "microstage-run net.msn --test                                          its own golden vectors: exit code 3 where one differs\n"
    "microstage-run net.msn --bench ROUNDS                                  microseconds of an inference\n";

typedef struct {
    const char *network, *output, *option;
    char *inputs[ENDS];
    int count, rounds;
} command;

static void misused(const char *word)
{
    fprintf(stderr, "%s is not understood here.\n%s", word, usage);
    exit(2);
}

/* The word behind an option. */
static char *next(char **words, int count, int *i)
{
    if (*i + 1 >= count) {
        misused(words[*i]);
    }
    return words[++*i];
}

static command read_command(char **words, int count)
{
    command c = {0, 0, 0, {0}, 0, 0};

    for (int i = 1; i < count; i++) {
        if (!strcmp(words[i], "--output")) {
            c.output = next(words, count, &i);
        } else if (!strcmp(words[i], "--bench")) {
            c.option = words[i];
            c.rounds = atoi(next(words, count, &i));
            if (c.rounds < 1 || c.rounds > 1000000) {
                misused(words[i]);
            }
        } else if (!strcmp(words[i], "--info") || !strcmp(words[i], "--layers") || !strcmp(words[i], "--test")) {
            c.option = words[i];
        } else if (words[i][0] == '-') {
            misused(words[i]);
        } else if (!c.network) {
            c.network = words[i];
        } else if (c.count < ENDS) {
            c.inputs[c.count++] = words[i];
        }
    }
    return c;
}

int main(int count, char **words)
{
    const command c = read_command(words, count);
    opened net;
    int code = 0;

    if (!c.network) {
        fputs(usage, stderr);
        return 2;
    }
    open_network(c.network, &net);
    if (c.count) {
        answer(&net, c.inputs, c.count, c.output);
    } else if (!c.option || !strcmp(c.option, "--info")) {
        show_information(&net);
    } else if (!strcmp(c.option, "--layers")) {
        show_layers(&net);
    } else if (!strcmp(c.option, "--test")) {
        code = test_golden(c.network, &net);
    } else {
        show_speed(&net, c.rounds);
    }
    close_network(&net);
    if (fflush(stdout)) {
        fail("", "The answers cannot be written.");
    }
    return code;
}
