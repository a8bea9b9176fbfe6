/* SPDX-License-Identifier: Apache-2.0 */
/* The program confd-ha-node: settings, signals, and the loop. */
#include <signal.h>
#include <sys/resource.h>

#include "basic/log.h"
#include "basic/notify.h"
#include "basic/process-setup.h"
#include "node/ipc/server.h"
#include "node/node.h"
#include "node/replication/replication.h"

static int on_end_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        node_end(userdata, EXIT_SUCCESS);
        return 0;
}

static int on_phase_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        node_next_phase(userdata);
        return 0;
}

struct reload {
        struct node *node;
        const struct node_options *options;
};

static int on_hangup(sd_event_source *source, const struct signalfd_siginfo *si, void *userdata) {
        const struct reload *r = userdata;

        node_reload(r->node, r->options);
        return 0;
}

/* Blocked before any thread starts, so that the loop alone sees them. */
static int block_signals(void) {
        sigset_t set;

        if (sigemptyset(&set) < 0 || sigaddset(&set, SIGTERM) < 0 || sigaddset(&set, SIGINT) < 0 ||
            sigaddset(&set, SIGUSR1) < 0 || sigaddset(&set, SIGHUP) < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0 ||
            signal(SIGXFSZ, SIG_IGN) == SIG_ERR) /* a limit of file sizes is an error of the write */
                return -errno;
        return 0;
}

/* All that the limits of both ports let in, and the store's files, are more than the 1024 descriptors that processes usually
 * begin with. What fails for want of one fails by itself, so that this need not succeed. */
static void raise_descriptor_limit(void) {
        const rlim_t wanted = IPC_CONNECTIONS_MAX + STRANGERS_MAX + SLAVES_MAX + 64;
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
                return;
        limit.rlim_cur = MIN(wanted, limit.rlim_max);
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
                log_debug("Cannot raise the limit of file descriptors: %m");
}

static int run(const struct node_options *options, const struct node_config *config) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(node_freep) struct node *node = NULL;
        struct reload reload = { .options = options };
        _cleanup_free_ char *error = NULL;
        int r;

        raise_descriptor_limit();
        r = block_signals();
        if (r >= 0)
                r = sd_event_default(&event);
        if (r >= 0)
                r = notify_attach_event(event);
        if (r >= 0)
                r = log_attach_event(event);
        if (r < 0) {
                log_error("Cannot set up the event loop: %s", strerror(-r));
                return EXIT_FAILURE;
        }
        r = node_new(event, config, &node, &error);
        if (r < 0) {
                log_error("Cannot start: %s", error ?: strerror(-r));
                return r == -EINVAL ? NODE_EXIT_CONFIG : EXIT_FAILURE;
        }
        reload.node = node;
        r = sd_event_add_signal(event, NULL, SIGTERM, on_end_signal, node);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGINT, on_end_signal, node);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGUSR1, on_phase_signal, node);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGHUP, on_hangup, &reload);
        if (r >= 0) {
                node_start(node);
                r = sd_event_loop(event);
        }
        if (r < 0) {
                log_error("The event loop failed: %s", strerror(-r));
                return EXIT_FAILURE;
        }
        return r;
}

int main(int argc, char *argv[]) {
        _cleanup_node_config_ struct node_config config = {};
        _cleanup_free_ char *error = NULL;
        struct node_options options;
        int r;

        if (process_setup(SIG_IGN) < 0)
                return EXIT_FAILURE;
        process_hide_memory();
        process_give_memory_back(1024 * 1024, 4 * 1024 * 1024);
        r = node_options_parse(argc, argv, &options);
        if (r <= 0)
                return r < 0 ? NODE_EXIT_USAGE : EXIT_SUCCESS;
        r = node_config_load(&options, &config, &error);
        if (r < 0) {
                log_error("%s", error ?: strerror(-r));
                return NODE_EXIT_CONFIG;
        }
        log_set_level(config.log_level);
        return run(&options, &config);
}
