/* SPDX-License-Identifier: Apache-2.0 */
/* A handshake with anybody. The first byte says whether there is a secret, and in what pieces the rest comes. */
#include "fuzz.h"
#include "lib/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct ipc ipc;
        char words[256];
        size_t n, piece;
        int r = 0;

        if (size == 0)
                return 0;
        ipc_begin(&ipc, IPC_KIND_HA, 82, data[0] & 1 ? "secret" : NULL, 6);
        piece = 1 + (data[0] >> 1);
        data++, size--;
        while (size > 0 && r == 0) {
                (void) ipc_output(&ipc, &n);
                ipc_sent(&ipc, n);
                n = MIN(piece, ipc_wants(&ipc));
                n = MIN(n, size);
                if (n == 0)
                        abort(); /* it would wait for ever */
                r = ipc_input(&ipc, data, n);
                data += n, size -= n;
        }
        ipc_describe(&ipc, r < 0 ? r : ipc_eof(&ipc), words, sizeof(words));
        return 0;
}
