/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the two vocabularies of states. */
#include "basic/util.h"
#include "ctl/states.h"

const char *state_from_user(const char *word) {
        static const char *const states[][2] = {
                { "none", "none" },         { "slave", "slave" },         { "master", "master" },
                { "unknown", "unknown" },   { "slave-relay", "slave-relay" },
                { "primary", "master" },    { "secondary", "slave" },     { "secondary-relay", "slave-relay" },
        };

        for (size_t i = 0; i < ELEMENTSOF(states); i++)
                if (streq(word, states[i][0]))
                        return states[i][1];
        return NULL;
}
