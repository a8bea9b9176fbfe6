/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the file that keeps the node's name. */
#include <stdio.h>

#include "basic/node-name.h"
#include "service/kept-files.h"
#include "service/kept-node-id.h"

#define FILE_NAME "node-id"

char *kept_node_id_load(void) {
        bool lost;
        char *text = kept_load(KEPT_RUNTIME, FILE_NAME, &lost);
        size_t n;

        if (!text)
                return NULL;
        n = strcspn(text, "\n");
        if (text[n] && text[n + 1])
                n = 0; /* it is one line */
        text[n] = 0;
        if (!node_id_is_valid(text))
                *text = 0;
        return text;
}

void kept_node_id_save(const char *node_id) {
        char line[NODE_ID_MAX + 2] = "";

        if (*node_id)
                snprintf(line, sizeof(line), "%s\n", node_id);
        (void) kept_save(KEPT_RUNTIME, FILE_NAME, line);
}
