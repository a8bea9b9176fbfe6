/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the decision whether there is colour. The variables are SYSTEMD_COLORS, NO_COLOR and TERM. */
#include "basic/parse.h"
#include "basic/util.h"
#include "ctl/colour.h"

static bool out, err;

void colour_init(void) {
        const char *e = getenv("SYSTEMD_COLORS"), *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
        bool wanted;

        if (e && parse_boolean(e, &wanted) >= 0) {
                out = err = wanted;
                return;
        }
        /* systemd's other values choose among palettes, and ours is the smallest: it is in each of them. */
        if (e && (streq(e, "16") || streq(e, "256") || streq(e, "24bit"))) {
                out = err = true;
                return;
        }
        /* By no-color.org's rule it is set when it is not empty. */
        if (!isempty(no_color) || !term || streq(term, "dumb"))
                return;
        out = isatty(STDOUT_FILENO);
        err = isatty(STDERR_FILENO);
}

static const char *sequence(bool on, enum colour colour) {
        static const char *const sequences[] = {
                [COLOUR_NONE] = "\x1b[0m",      [COLOUR_GOOD] = "\x1b[0;1;32m", [COLOUR_BUSY] = "\x1b[0;1;33m",
                [COLOUR_BAD] = "\x1b[0;1;31m",  [COLOUR_DIM] = "\x1b[0;90m",    [COLOUR_HEAD] = "\x1b[0;4m",
        };

        return on ? sequences[colour] : "";
}

const char *colour_out(enum colour colour) {
        return sequence(out, colour);
}

const char *colour_err(enum colour colour) {
        return sequence(err, colour);
}

bool colour_is_on(void) {
        return out;
}

enum colour colour_of_state(const char *state, bool synchronizing, bool in_sync) {
        if (synchronizing)
                return COLOUR_BUSY;
        if (streq(state, "unknown"))
                return COLOUR_BAD;
        if (streq(state, "none"))
                return COLOUR_DIM;
        return in_sync ? COLOUR_GOOD : COLOUR_BUSY;
}
