/* SPDX-License-Identifier: Apache-2.0 */
/* The body of a D-Bus message as text, so that tests compare what they can read. */
#pragma once

#include <systemd/sd-bus.h>

/* 'string' 42 true ('struct' 1) ['array' 'of'] {'key': 'value'}, arguments separated by a space, variants by their
 * content alone. The message is left at its end. Aborts the test program on a broken message. Free the result. */
char *message_text(sd_bus_message *m);

/* The same for the next single argument. */
char *message_argument_text(sd_bus_message *m);
