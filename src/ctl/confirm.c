/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the questions to the user. */
#include <stdio.h>
#include <strings.h>

#include "basic/util.h"
#include "ctl/confirm.h"

bool confirm_possible(void) {
        return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

bool confirm(const char *question) {
        char line[16];

        fprintf(stderr, "%s [y/N] ", question);
        fflush(stderr);
        if (!fgets(line, sizeof(line), stdin)) {
                fputc('\n', stderr);
                return false;
        }
        line[strcspn(line, "\r\n")] = '\0';
        return strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0;
}
