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

/* Types on the bus nest at most this deep in what is shown. What is deeper, or of a type that has no form here, is passed over with a
 * question mark, or null in JSON: a service that is newer than this program may have such, and the rest is to be seen. */
enum { DEPTH_MAX = 8 };

/* A number of one of the integer types. */
struct number {
        bool is_signed;
        uint64_t u;
        int64_t i;
};

/* Over a value of any type. */
static int skip(sd_bus_message *m, char type, const char *contents) {
        _cleanup_free_ char *signature = NULL;
        int n = type == 'a' ? asprintf(&signature, "a%s", contents)
                : type == 'r' ? asprintf(&signature, "(%s)", contents)
                : type == 'e' ? asprintf(&signature, "{%s}", contents)
                              : asprintf(&signature, "%c", type);

        return n < 0 ? -ENOMEM : MIN(sd_bus_message_skip(m, signature), 0);
}

static bool is_integer(char type) {
        return type && strchr("ynqiuxt", type);
}

static int read_integer(sd_bus_message *m, char type, struct number *ret) {
        union {
                uint8_t y;
                int16_t n;
                uint16_t q;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
        } v;
        int r;

        r = sd_bus_message_read_basic(m, type, &v);
        if (r < 0)
                return r;
        *ret = (struct number) {
                .is_signed = strchr("nix", type),
                .u = type == 'y' ? v.y : type == 'q' ? v.q : type == 'u' ? v.u : v.t,
                .i = type == 'n' ? v.n : type == 'i' ? v.i : v.x,
        };
        return r;
}

/* One value that is no array and no structure, as text: members of a structure are separated by tabs, which text_printable() leaves in
 * no string. */
static int print_basic(sd_bus_message *m, char type, const char *contents) {
        struct number n;
        const char *s;
        int r, b;

        if (is_integer(type)) {
                r = read_integer(m, type, &n);
                if (r >= 0)
                        r = n.is_signed ? printf("%" PRIi64, n.i) : printf("%" PRIu64, n.u);
                return MIN(r, 0);
        }
        switch (type) {
        case 's':
        case 'o':
        case 'g': {
                _cleanup_free_ char *printable = NULL;

                r = sd_bus_message_read_basic(m, type, &s);
                if (r < 0)
                        return r;
                printable = text_printable(s);
                return fputs(printable ?: "?", stdout) < 0 ? -EIO : 0;
        }
        case 'b':
                r = sd_bus_message_read_basic(m, 'b', &b);
                return r < 0 ? r : printf("%s", b ? "yes" : "no") < 0 ? -EIO : 0;
        default:
                return fputs("?", stdout) < 0 ? -EIO : skip(m, type, contents);
        }
}

static int json_basic(struct json *j, const char *key, sd_bus_message *m, char type, const char *contents) {
        struct number n;
        const char *s;
        int r, b;

        if (is_integer(type)) {
                r = read_integer(m, type, &n);
                if (r >= 0 && n.is_signed)
                        json_signed(j, key, n.i);
                else if (r >= 0)
                        json_unsigned(j, key, n.u);
                return MIN(r, 0);
        }
        switch (type) {
        case 's':
        case 'o':
        case 'g':
                r = sd_bus_message_read_basic(m, type, &s);
                if (r >= 0)
                        json_string(j, key, s);
                return MIN(r, 0);
        case 'b':
                r = sd_bus_message_read_basic(m, 'b', &b);
                if (r >= 0)
                        json_boolean(j, key, b);
                return MIN(r, 0);
        default:
                json_string(j, key, NULL);
                return skip(m, type, contents);
        }
}

/* Those that have others in them; an entry of a dictionary is as a structure. */
static bool is_container(char type) {
        return type && strchr("aerv", type);
}

/* A value of any type, as JSON: structures and arrays are arrays. */
static int json_value(struct json *j, const char *key, sd_bus_message *m, unsigned depth) {
        const char *contents;
        char type;
        int r;

        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;
        if (!is_container(type) || depth >= DEPTH_MAX)
                return json_basic(j, key, m, type, contents);
        r = sd_bus_message_enter_container(m, type, contents);
        if (r < 0)
                return r;
        if (type == 'v')
                r = json_value(j, key, m, depth + 1);
        else {
                json_begin_array(j, key);
                while (r >= 0 && (r = sd_bus_message_at_end(m, /* complete= */ false)) == 0)
                        r = json_value(j, NULL, m, depth + 1);
                json_end_array(j);
        }
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
        if (!is_container(type) || depth >= DEPTH_MAX)
                return print_basic(m, type, contents);
        r = sd_bus_message_enter_container(m, type, contents);
        if (type == 'r' || type == 'e')
                putchar('(');
        for (size_t i = 0; r >= 0 && (r = sd_bus_message_at_end(m, /* complete= */ false)) == 0; i++) {
                if (i > 0)
                        putchar(' ');
                r = print_inner(m, depth + 1);
        }
        if (type == 'r' || type == 'e')
                putchar(')');
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* A value in a line: the members of a structure side by side. */
static int print_line(const char *name, sd_bus_message *m) {
        _cleanup_free_ char *printable = text_printable(name);
        const char *contents;
        char type;
        int r;

        if (name)
                printf("%s=", printable ?: "?");
        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;
        if (type != 'r' && type != 'e')
                r = print_inner(m, 0);
        else {
                r = sd_bus_message_enter_container(m, type, contents);
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
        if (r >= 0 && !any && name) {
                _cleanup_free_ char *printable = text_printable(name);

                printf("%s=\n", printable ?: "?");
        }
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

static int show(struct ctl *c, sd_bus_message *m, struct json *j) {
        int r;

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
                                r = j ? json_value(j, name, m, 0) : print_value(c->n_properties == 1 ? NULL : name, m);
                        if (r >= 0)
                                r = sd_bus_message_exit_container(m);
                }
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        return r;
}

/* Whole or not at all: half an object is none, and behind it there would be one that tells the error. */
static int show_json(struct ctl *c, sd_bus_message *m) {
        _cleanup_free_ char *text = NULL;
        size_t n = 0;
        struct json j = { .f = open_memstream(&text, &n), .pretty = c->json == JSON_PRETTY };
        int r;

        if (!j.f)
                return -ENOMEM;
        json_begin_object(&j, NULL);
        r = show(c, m, &j);
        json_end_object(&j);
        if (fclose(j.f) != 0)
                return -ENOMEM;
        if (r >= 0) {
                fwrite(text, 1, n, stdout);
                c->json_said = true;
        }
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
        r = c->json != JSON_OFF ? show_json(c, reply) : show(c, reply, NULL);
        return r < 0 ? bus_error_report(c, "show", &error, r) : CTL_DONE;
}
