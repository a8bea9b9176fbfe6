/* SPDX-License-Identifier: Apache-2.0 */
/* Owns confd-hactl.conf. */
#include "basic/ini-config.h"
#include "ctl/complain.h"
#include "ctl/ctl-config.h"
#include "ctl/ssh.h"
#include "ctl/text.h"

#define DEFAULT_FILE CONFD_HA_SYSCONFDIR "/confd-ha/confd-hactl.conf"

struct settings {
        char *hosts;
};

static const struct ini_key keys[] = {
        { "Cluster", "Hosts", config_parse_string, offsetof(struct settings, hosts) },
        {},
};

char **ctl_hosts_free(char **hosts) {
        for (size_t i = 0; hosts && hosts[i]; i++)
                free(hosts[i]);
        free(hosts);
        return NULL;
}

static bool is_valid(const char *host) {
        struct ssh_host h;

        if (streq(host, "."))
                return true;
        if (ssh_host_parse(&h, host) < 0)
                return false;
        ssh_host_done(&h);
        return true;
}

static int add(struct ctl *c, char **hosts, const char *host) {
        _cleanup_free_ char *printable = text_printable(host);
        size_t n;

        if (!is_valid(host)) {
                complain(c, CTL_ERROR_USAGE, NULL, "Not a valid host: '%s'", printable ?: "?");
                return -EINVAL;
        }
        for (n = 0; hosts[n]; n++)
                if (streq(hosts[n], host)) {
                        complain(c, CTL_ERROR_USAGE, NULL, "The host %s is named twice.", printable ?: "?");
                        return -EINVAL;
                }
        if (n == HOSTS_MAX) {
                complain(c, CTL_ERROR_USAGE, NULL, "There are more than %i hosts.", HOSTS_MAX);
                return -E2BIG;
        }
        hosts[n] = strdup(host);
        return hosts[n] ? 0 : -ENOMEM;
}

static int add_words(struct ctl *c, char **hosts, char *words) {
        char *save = NULL;
        int r = 0;

        for (char *w = strtok_r(words, " \t,", &save); w && r >= 0; w = strtok_r(NULL, " \t,", &save))
                r = add(c, hosts, w);
        return r;
}

static int read_file(struct ctl *c, char **ret) {
        _cleanup_free_ char *error = NULL;
        struct settings s = {};
        int r;

        r = ini_config_load(c->config ?: DEFAULT_FILE, /* required= */ c->config, keys, &s, &error);
        if (r < 0) {
                complain(c, HA_ERROR_PREFIX "BadConfiguration", "See confd-hactl.conf(5).", "%s", error ?: strerror(-r));
                free(s.hosts);
                return r;
        }
        *ret = s.hosts;
        return 0;
}

int ctl_hosts(struct ctl *c, char **args, char ***ret_hosts) {
        char **hosts = calloc(HOSTS_MAX + 1, sizeof(*hosts));
        int r = hosts ? 0 : -ENOMEM;

        if (r >= 0 && args[0])
                for (size_t i = 0; args[i] && r >= 0; i++)
                        r = add(c, hosts, args[i]);
        else if (r >= 0) {
                _cleanup_free_ char *words = NULL;

                r = read_file(c, &words);
                if (r >= 0)
                        r = add_words(c, hosts, words ?: (char []) { "" });
                if (r >= 0 && !hosts[0]) {
                        complain(c, CTL_ERROR_USAGE, "Name them behind the command, or in Hosts= of " DEFAULT_FILE
                                 " (see confd-hactl.conf(5)); \".\" is this one.", "No hosts are named.");
                        r = -EINVAL;
                }
        }
        if (r < 0) {
                ctl_hosts_free(hosts);
                return r;
        }
        *ret_hosts = hosts;
        return 0;
}
