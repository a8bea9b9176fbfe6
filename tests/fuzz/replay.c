/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over the files of a directory, each also cut short and with bytes turned: a test without a fuzzer. Of these neighbours
 * a slow target has only every so many. */
#include <dirent.h>
#include <stdio.h>

#include "fuzz.h"

enum { INPUT_MAX = 1024 * 1024 };

/* In an allocation that ends where the input ends, so that the sanitizer sees a byte too far. */
static void run(const uint8_t *p, size_t n) {
        uint8_t *copy = malloc(n ?: 1);

        if (!copy)
                abort();
        if (n > 0)
                memcpy(copy, p, n);
        (void) LLVMFuzzerTestOneInput(copy, n);
        free(copy);
}

static void run_neighbours(uint8_t *p, size_t n, unsigned every) {
        unsigned turn = 0;

        run(p, n);
        for (size_t i = 0; i < n && i < 512; i++) {
                static const uint8_t turns[] = { 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff };

                if (turn++ % every == 0)
                        run(p, i);
                for (size_t k = 0; k < ELEMENTSOF(turns); k++) {
                        p[i] ^= turns[k];
                        if (turn++ % every == 0)
                                run(p, n);
                        p[i] ^= turns[k];
                }
        }
}

static int run_file(const char *dir, const char *name, unsigned every, uint8_t *p) {
        char path[4096];
        size_t n;
        FILE *f;

        snprintf(path, sizeof(path), "%s/%s", dir, name);
        f = fopen(path, "re");
        if (!f)
                return -errno;
        n = fread(p, 1, INPUT_MAX, f);
        fclose(f);
        run_neighbours(p, n, every);
        return 0;
}

int main(int argc, char *argv[]) {
        uint8_t *p = malloc(INPUT_MAX);
        struct dirent *e;
        unsigned n = 0, every = argc == 3 ? (unsigned) atoi(argv[2]) : 1;
        DIR *d;

        if (argc < 2 || argc > 3 || every < 1 || !p || !(d = opendir(argv[1]))) {
                printf("Bail out! usage: %s CORPUS [EVERY-SO-MANY]\n", argv[0]);
                return 1;
        }
        run(NULL, 0);
        while ((e = readdir(d)))
                if (e->d_name[0] != '.')
                        printf("%sok %u - %s\n", run_file(argv[1], e->d_name, every, p) < 0 ? "not " : "", ++n, e->d_name);
        closedir(d);
        free(p);
        printf("1..%u\n", n);
        return n > 0 ? 0 : 1;
}
