/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side of the IPC handshake with anybody. The first byte says whether there is a secret, and in what pieces the rest
 * comes. Without the secret nobody gets in, and the end is the same in whatever pieces the bytes come. */
#include "fuzz.h"
#include "node/ipc/handshake.h"

static int shake(const struct secret *secret, const uint8_t *data, size_t size, size_t piece) {
        _cleanup_buffer_ struct buffer in = BUFFER_INIT(65536), out = BUFFER_INIT(256);
        struct ipc_handshake h = IPC_HANDSHAKE_INIT(secret);
        int r = 0;

        while (r == 0 && size > 0) {
                size_t n = MIN(piece, size);

                if (buffer_append(&in, data, n) < 0)
                        return 0;
                data += n;
                size -= n;
                r = ipc_handshake_step(&h, &in, &out);
                if (r > 0 && ((h.kind != IPC_KIND_HA && h.kind != IPC_KIND_EVENTS) || h.version < IPC_VERSION_MIN ||
                              h.version > IPC_VERSION_MAX))
                        abort();
                if (r > 0 && secret)
                        abort(); /* nobody can guess the answer to a challenge */
        }
        return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static uint8_t words[] = "secret";
        static const struct secret secret = { .data = words, .size = 6 };
        const struct secret *s;

        if (size == 0)
                return 0;
        s = data[0] & 1 ? &secret : NULL;
        if (shake(s, data + 1, size - 1, 1 + (data[0] >> 1)) != shake(s, data + 1, size - 1, SIZE_MAX))
                abort();
        return 0;
}
