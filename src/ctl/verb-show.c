/* SPDX-License-Identifier: Apache-2.0 */
/* Owns `confd-hactl show`: the properties as they are on the bus, for scripts. */
#include <inttypes.h>
#include <stdio.h>

#include "ctl/activation.h"
#include "ctl/bus-connection.h"
#include "ctl/bus-error.h"
#include "ctl/complain.h"
#include "ctl/pager.h"
#include "ctl/text.h"
#include "view/json.h"

/* Types on the bus nest at most this deep in what is shown; what is deeper is left out. */
enum { DEPTH_MAX = 8 };

/* One basic value, as text: members of a structure are separated by tabs, which text_printable() leaves in no string. */
static int print_basic(sd_bus_message *m, char type) {
        union {
                const char *s;
                int b;
                uint8_t y;
                uint32_t u;
                int32_t i;
                uint64_t t;
                int64_t x;
        } v;
        int r;

        r = sd_bus_message_read_basic(m, type, &v);
        if (r < 0)
                return r;
        switch (type) {
        case 's':
        case 'o':
        case 'g': {
                _cleanup_free_ char *printable = text_printable(v.s);

                return fputs(printable ?: "?", stdout) < 0 ? -EIO : 0;
        }
        case 'b':
                return printf("%s", v.b ? "yes" : "no") < 0 ? -EIO : 0;
        case 'y':
                return printf("%u", (unsigned) v.y) < 0 ? -EIO : 0;
        case 'u':
                return printf("%" PRIu32, v.u) < 0 ? -EIO : 0;
        case 'i':
                return printf("%" PRIi32, v.i) < 0 ? -EIO : 0;
        case 't':
                return printf("%" PRIu64, v.t) < 0 ? -EIO : 0;
        case 'x':
                return printf("%" PRIi64, v.x) < 0 ? -EIO : 0;
        default:
                return -EBADMSG;
        }
}

static int json_basic(struct json *j, const char *key, sd_bus_message *m, char type) {
        union {
                const char *s;
                int b;
                uint32_t u;
                uint64_t t;
        } v;
        int r;

        r = sd_bus_message_read_basic(m, type, &v);
        if (r < 0)
                return r;
        if (type == 's' || type == 'o' || type == 'g')
                json_string(j, key, v.s);
        else if (type == 'b')
                json_boolean(j, key, v.b);
        else if (type == 'u')
                json_unsigned(j, key, v.u);
        else if (type == 't')
                json_unsigned(j, key, v.t);
        else
                return -EBADMSG;
        return 0;
}

/* A value of any type, as JSON: structures and arrays are arrays. */
static int json_value(struct json *j, const char *key, sd_bus_message *m, unsigned depth) {
        const char *contents;
        char type;
        int r;

        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;
        if (type != 'a' && type != 'r')
                return json_basic(j, key, m, type);
        if (depth >= DEPTH_MAX)
                return -E2BIG;
        r = sd_bus_message_enter_container(m, type, contents);
        if (r < 0)
                return r;
        json_begin_array(j, key);
        while (r >= 0 && (r = sd_bus_message_at_end(m, /* complete= */ false)) == 0)
                r = json_value(j, NULL, m, depth + 1);
        json_end_array(j);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* A value within a structure: what is in a list is separated by blanks, a structure there is in parentheses. */
static int print_inner(sd_bus_message *m, unsigned depth) {
        const char *contents;
        char type;
        int r;

        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;
        if (type != 'a' && type != 'r')
                return print_basic(m, type);
        if (depth >= DEPTH_MAX)
                return -E2BIG;
        r = sd_bus_message_enter_container(m, type, contents);
        if (type == 'r')
                putchar('(');
        for (size_t i = 0; r >= 0 && (r = sd_bus_message_at_end(m, /* complete= */ false)) == 0; i++) {
                if (i > 0)
                        putchar(' ');
                r = print_inner(m, depth + 1);
        }
        if (type == 'r')
                putchar(')');
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* A value in a line: the members of a structure side by side. */
static int print_line(const char *name, sd_bus_message *m) {
        const char *contents;
        char type;
        int r;

        if (name)
                printf("%s=", name);
        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;
        if (type != 'r')
                r = print_basic(m, type);
        else {
                r = sd_bus_message_enter_container(m, 'r', contents);
                for (size_t i = 0; r >= 0 && (r = sd_bus_message_at_end(m, /* complete= */ false)) == 0; i++) {
                        if (i > 0)
                                putchar('\t');
                        r = print_inner(m, 0);
                }
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        putchar('\n');
        return r;
}

/* A property: of an array each element has a line, and an empty one a line without a value. */
static int print_value(const char *name, sd_bus_message *m) {
        const char *contents;
        char type;
        bool any = false;
        int r;

        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;
        if (type != 'a')
                return print_line(name, m);
        r = sd_bus_message_enter_container(m, 'a', contents);
        while (r >= 0 && (r = sd_bus_message_at_end(m, /* complete= */ false)) == 0) {
                r = print_line(name, m);
                any = true;
        }
        if (r >= 0 && !any && name)
                printf("%s=\n", name);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static bool is_wanted(const struct ctl *c, const char *name) {
        for (size_t i = 0; i < c->n_properties; i++)
                if (streq(c->properties[i], name))
                        return true;
        return c->n_properties == 0;
}

/* Which of those that were asked for there are: of a wrong name nothing is to be shown in place of a complaint. */
static int find(const struct ctl *c, sd_bus_message *m, bool *found) {
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const char *name;

                r = sd_bus_message_read_basic(m, 's', &name);
                for (size_t i = 0; r >= 0 && i < c->n_properties; i++)
                        found[i] = found[i] || streq(c->properties[i], name);
                if (r >= 0)
                        r = sd_bus_message_skip(m, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r < 0 ? r : sd_bus_message_rewind(m, /* complete= */ true);
}

static int show(struct ctl *c, sd_bus_message *m) {
        struct json j = { .f = stdout, .pretty = c->json == JSON_PRETTY };
        int r;

        if (c->json != JSON_OFF)
                json_begin_object(&j, NULL);
        r = sd_bus_message_enter_container(m, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const char *name, *contents;

                r = sd_bus_message_read_basic(m, 's', &name);
                if (r >= 0)
                        r = sd_bus_message_peek_type(m, NULL, &contents);
                if (r >= 0 && !is_wanted(c, name))
                        r = sd_bus_message_skip(m, "v");
                else if (r >= 0) {
                        r = sd_bus_message_enter_container(m, 'v', contents);
                        if (r >= 0)
                                r = c->json != JSON_OFF ? json_value(&j, name, m, 0)
                                                        : print_value(c->n_properties == 1 ? NULL : name, m);
                        if (r >= 0)
                                r = sd_bus_message_exit_container(m);
                }
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (c->json != JSON_OFF)
                json_end_object(&j);
        return r;
}

enum ctl_exit verb_show(struct ctl *c, char **args) {
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        bool found[PROPERTIES_MAX] = {};
        enum ctl_exit status;
        int r;

        status = bus_connect(c);
        if (status == CTL_DONE)
                status = activation_start(c, "show");
        if (status != CTL_DONE)
                return status;
        r = bus_get_properties(c, /* activate= */ true, &reply, &error);
        if (r >= 0) {
                if (c->n_properties == 0)
                        pager_open(c);
                r = find(c, reply, found);
        }
        if (r < 0)
                return bus_error_report(c, "show", &error, r);
        for (size_t i = 0; i < c->n_properties; i++)
                if (!found[i]) {
                        _cleanup_free_ char *printable = text_printable(c->properties[i]);

                        complain(c, SD_BUS_ERROR_UNKNOWN_PROPERTY, NULL, "The service has no property '%s'.", printable ?: "?");
                        status = CTL_FAILED;
                }
        if (status != CTL_DONE)
                return status;
        r = show(c, reply);
        return r < 0 ? bus_error_report(c, "show", &error, r) : CTL_DONE;
}
