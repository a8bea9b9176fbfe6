/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the trace stream that confd_init() and confd_set_debug() set. */
#include <pthread.h>
#include <stdarg.h>

#include "lib/errors.h"
#include "lib/eterm.h"
#include "lib/export.h"
#include "lib/trace.h"

enum { NAME_MAX_BYTES = 63, MESSAGE_TEXT_MAX = 4096 };

/* Process-wide, as the documented functions are. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static FILE *stream;
static enum confd_debug_level current;
static char program[NAME_MAX_BYTES + 1];

_public_ void confd_init(const char *name, FILE *estream, enum confd_debug_level debug) {
        pthread_mutex_lock(&lock);
        snprintf(program, sizeof(program), "%s", name ?: "");
        stream = estream;
        current = debug;
        pthread_mutex_unlock(&lock);
}

_public_ int confd_set_debug(enum confd_debug_level debug, FILE *estream) {
        if ((int) debug < CONFD_SILENT || debug > CONFD_PROTO_TRACE)
                return error_set(CONFD_ERR_PROTOUSAGE, "confd_set_debug: there is no debug level %i", (int) debug);
        pthread_mutex_lock(&lock);
        if (estream)
                stream = estream;
        current = debug;
        pthread_mutex_unlock(&lock);
        return CONFD_OK;
}

bool trace_enabled(enum confd_debug_level level) {
        bool r;

        pthread_mutex_lock(&lock);
        r = stream && level <= current;
        pthread_mutex_unlock(&lock);
        return r;
}

/* Formats under the lock: the program may take its stream back at any time. */
void trace(enum confd_debug_level level, const char *format, ...) {
        int saved = errno;
        va_list ap;

        pthread_mutex_lock(&lock);
        if (stream && level <= current) {
                if (program[0])
                        fprintf(stream, "%s: ", program);
                va_start(ap, format);
                vfprintf(stream, format, ap);
                va_end(ap);
                fputc('\n', stream);
                fflush(stream);
        }
        pthread_mutex_unlock(&lock);
        errno = saved;
}

void trace_message(int fd, const char *arrow, const void *body, size_t size) {
        char text[MESSAGE_TEXT_MAX];
        struct eterm_bytes term;
        struct eterm c;
        size_t n;

        if (!trace_enabled(CONFD_PROTO_TRACE))
                return;
        if (eterm_message(body, size, &c) < 0) {
                trace(CONFD_PROTO_TRACE, "fd %i %s %zu bytes that are no term", fd, arrow, size);
                return;
        }
        term = (struct eterm_bytes) { c.p, (size_t) (c.end - c.p) };
        n = eterm_format(&term, text, sizeof(text));
        trace(CONFD_PROTO_TRACE, "fd %i %s %s%s", fd, arrow, text, n >= sizeof(text) ? "..." : "");
}
