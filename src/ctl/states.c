/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the two vocabularies of states. */
#include "basic/util.h"
#include "ctl/states.h"

static const char *const states[STATES][2] = {
        { "none" }, { "slave", "secondary" }, { "master", "primary" }, { "slave-relay", "secondary-relay" }, { "unknown" },
};

int state_index(const char *word) {
        for (int i = 0; i < STATES; i++)
                if (streq(word, states[i][0]) || (states[i][1] && streq(word, states[i][1])))
                        return i;
        return -EINVAL;
}

const char *state_from_user(const char *word) {
        int i = state_index(word);

        return i < 0 ? NULL : states[i][0];
}

int states_list_has(const char *list, const char *state, char **ret_bad) {
        bool found = false;

        for (;;) {
                size_t n = strcspn(list, ",");
                char *word = strndup(list, n);
                const char *known = word ? state_from_user(word) : NULL;

                if (!word)
                        return -ENOMEM;
                if (!known) {
                        *ret_bad = word;
                        return -EINVAL;
                }
                found = found || streq(known, state);
                free(word);
                if (!list[n])
                        return found;
                list += n + 1;
        }
}
