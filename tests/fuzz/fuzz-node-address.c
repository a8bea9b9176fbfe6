/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses and ids from outside: files, command lines, the bus, other nodes. What is taken is the same again after it was
 * written as text and read back. */
#include "basic/escape.h"
#include "basic/node-name.h"
#include "basic/parse.h"
#include "fuzz.h"
#include "node/node-id.h"

static void check_address(const char *text, size_t size) {
        char again[NODE_ADDRESS_TEXT_MAX];
        struct node_address a, b;

        if (node_address_parse(text, size, &a) < 0)
                return;
        (void) node_address_text(&a, again);
        if (node_address_parse(again, strlen(again), &b) < 0 || !node_address_equal(&a, &b) || a.port != b.port)
                abort();
}

static void check_socket_address(const char *text) {
        _cleanup_free_ char *again = NULL;
        struct socket_address a = {}, b = {};

        if (parse_socket_address(text, 4565, &a) < 0)
                return;
        again = format_socket_address(&a);
        if (!again || parse_socket_address(again, 4565, &b) < 0 || a.length != b.length ||
            memcmp(&a.storage, &b.storage, a.length) != 0)
                abort();
}

static void check_name(const char *text, size_t size) {
        _cleanup_free_ char *shown = utf8_escape(text, size);

        if (!shown || !utf8_is_plain(shown, strlen(shown)))
                abort();
        if (node_id_is_valid(text) && (!utf8_is_printable(text, size) || size > NODE_ID_MAX || utf8_is_blank(text, size)))
                abort();
}

static void check_id(const uint8_t *data, size_t size) {
        char text[NODE_ID_TEXT_MAX];
        struct node_id id;

        if (node_id_from_bytes(data, size, &id) < 0)
                return;
        if (id.size != size || memcmp(id.etf, data, size) != 0)
                abort();
        (void) node_id_text(&id, text);
        if (!utf8_is_plain(text, strlen(text)))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = malloc(size + 1);

        if (!text)
                return 0;
        if (size > 0)
                memcpy(text, data, size);
        text[size] = 0;
        check_address(text, size);
        size = strlen(text);
        check_socket_address(text);
        check_name(text, size);
        check_id(data, size);
        free(text);
        return 0;
}
