/* SPDX-License-Identifier: Apache-2.0 */
/* The service's properties as a bus could tell them: of their types or of others, with anything in them. */
#pragma once

#include <stdio.h>
#include <systemd/sd-bus.h>

#include "input.h"

/* What somebody else tells in the service's place. No input has it, see take_text(), and it is printed as it is. */
#define FORGED "~~"

static inline const char *take_text(struct input *in, char buf[static 256]) {
        (void) take_string(in, buf);
        for (char *c = buf; *c; c++)
                *c = *c == '~' ? '_' : *c;
        return buf;
}

/* A value of that type; of what is in arrays and structs, too. */
static inline void append_value(sd_bus_message *m, const char *type, struct input *in) {
        char buf[256], inner[64];
        uint64_t number;
        size_t n;

        for (const char *t = type; *t; t++) {
                number = take_byte(in);
                number = number >= 0xf0 ? UINT64_MAX - (number & 15) : number;
                n = strlen(t);
                switch (*t) {
                case 's':
                        if (sd_bus_message_append(m, "s", take_text(in, buf)) < 0)
                                abort();
                        break;
                case 'b':
                        if (sd_bus_message_append(m, "b", (int) (number & 1)) < 0)
                                abort();
                        break;
                case 'u':
                        if (sd_bus_message_append(m, "u", (uint32_t) number) < 0)
                                abort();
                        break;
                case 't':
                        if (sd_bus_message_append(m, "t", number) < 0)
                                abort();
                        break;
                case '(':
                case 'a':
                        /* In the types here an array of a struct ends its struct, one of numbers is two characters. */
                        if (*t == 'a' && t[1] != '(') {
                                (void) snprintf(inner, sizeof(inner), "%c", t[1]);
                                n = 2;
                        } else if (*t == 'a') {
                                n = (size_t) (strchr(t, ')') + 1 - t);
                                (void) snprintf(inner, sizeof(inner), "%.*s", (int) n - 1, t + 1);
                        } else {
                                n = (size_t) (strrchr(t, ')') + 1 - t);
                                (void) snprintf(inner, sizeof(inner), "%.*s", (int) n - 2, t + 1);
                        }
                        if (sd_bus_message_open_container(m, *t == 'a' ? 'a' : 'r', inner) < 0)
                                abort();
                        for (uint64_t i = *t == 'a' ? number % 4 : 1; i > 0; i--)
                                append_value(m, inner, in);
                        if (sd_bus_message_close_container(m) < 0)
                                abort();
                        t += n - 1;
                        break;
                default:
                        abort();
                }
        }
}

/* A property that no service of today has. */
static inline void append_other(sd_bus_message *m, struct input *in) {
        char name[256], text[256];
        uint8_t how = take_byte(in);
        int r;

        (void) take_text(in, name);
        (void) take_text(in, text);
        switch (how % 8) {
        case 0:
                r = sd_bus_message_append(m, "{sv}", name, "s", text);
                break;
        case 1:
                r = sd_bus_message_append(m, "{sv}", name, "d", 1.5);
                break;
        case 2:
                r = sd_bus_message_append(m, "{sv}", name, "x", INT64_MIN);
                break;
        case 3:
                r = sd_bus_message_append(m, "{sv}", name, "a{ss}", 1, text, name);
                break;
        case 4:
                r = sd_bus_message_append(m, "{sv}", name, "as", 3, text, name, "");
                break;
        case 5:
                r = sd_bus_message_append(m, "{sv}", name, "(sv(yi)aas)", text, "v", "s", name, 7, -7, 1, 2, text, "");
                break;
        case 6:
                r = sd_bus_message_append(m, "{sv}", name, "aaaaaaaaaaaas", 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, text);
                break;
        default:
                r = sd_bus_message_append(m, "{sv}", name, "i", -1);
        }
        if (r < 0)
                abort();
}

/* With `others` also such as are not known. */
static inline void append_properties(sd_bus_message *m, struct input *in, bool others) {
        static const struct {
                const char *name, *type;
        } known[] = {
                { "State", "s" }, { "NodeId", "s" }, { "Master", "(ss)" }, { "Slaves", "a(ss)" }, { "Connected", "b" },
                { "EventsConnected", "b" }, { "Synchronizing", "b" }, { "InSync", "b" }, { "LastInSync", "(sssts)" },
                { "Inhibitors", "a(ssut)" }, { "Targets", "s" }, { "ConfdAddress", "s" }, { "ConfdVersion", "s" },
                { "ProtocolVersion", "u" }, { "LastError", "(sst)" }, { "StateSince", "t" }, { "Transitions", "t" },
                { "Orders", "(ata(sstat))" }, { "Version", "s" }, { "Unheard", "s" },
        };
        static const char *const states[] = { "master", "slave", "slave-relay", "none", "unknown" };

        if (sd_bus_message_open_container(m, 'a', "{sv}") < 0)
                abort();
        for (unsigned n = take_byte(in) % 8; n > 0; n--) {
                uint8_t which = take_byte(in);
                const char *type = known[(which & 31) % ELEMENTSOF(known)].type;

                if (others && (which & 31) >= 0x1c) {
                        append_other(m, in);
                        continue;
                }
                if (which >= 0xe0) /* it has another type */
                        type = known[(which + 3) % ELEMENTSOF(known)].type;
                if (sd_bus_message_open_container(m, 'e', "sv") < 0 ||
                    sd_bus_message_append(m, "s", known[(which & 31) % ELEMENTSOF(known)].name) < 0 ||
                    sd_bus_message_open_container(m, 'v', type) < 0)
                        abort();
                if ((which & 31) == 0 && which < 0x80) {
                        if (sd_bus_message_append(m, "s", states[(which >> 5) + take_byte(in) % 2]) < 0)
                                abort();
                } else
                        append_value(m, type, in);
                if (sd_bus_message_close_container(m) < 0 || sd_bus_message_close_container(m) < 0)
                        abort();
        }
        if (sd_bus_message_close_container(m) < 0)
                abort();
}
