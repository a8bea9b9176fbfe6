/* SPDX-License-Identifier: Apache-2.0 */
/* Owns `confd-hactl status`. */
#include <stdio.h>

#include "ctl/activation.h"
#include "ctl/bus-connection.h"
#include "ctl/bus-error.h"
#include "ctl/complain.h"
#include "ctl/ctl.h"
#include "ctl/pager.h"
#include "ctl/status-view.h"

static void json_status(struct ctl *c, const struct picture *p, const struct slave_ages *ages, const sd_bus_error *failure) {
        struct json j = { .f = stdout, .pretty = c->json == JSON_PRETTY };

        json_begin_object(&j, NULL);
        status_json_members(&j, p, ages);
        if (failure) {
                json_begin_object(&j, "error");
                complain_json_members(&j, failure->name, failure->message, bus_error_advice(c, failure->name));
                json_end_object(&j);
        }
        json_end_object(&j);
        c->json_said = true;
}

/* Properties alone would do for the picture, but they tell what the service saw last: only the method asks ConfD. Its
 * failure is shown beside the picture, not in place of it. */
enum ctl_exit verb_status(struct ctl *c, char **args) {
        _cleanup_(sd_bus_error_free) sd_bus_error status_error = SD_BUS_ERROR_NULL, error = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *call = NULL, *reply = NULL;
        _cleanup_slave_ages_ struct slave_ages ages = {};
        _cleanup_picture_ struct picture p = {};
        enum ctl_exit status;
        int asked, r;

        if (c->watch)
                return watch_status(c);
        status = bus_connect(c);
        if (status == CTL_DONE)
                status = activation_start(c, "status");
        if (status != CTL_DONE)
                return status;

        asked = sd_bus_message_new_method_call(c->bus, &call, HA_BUS_NAME, HA_OBJECT, HA_INTERFACE, "Status");
        if (asked >= 0)
                asked = sd_bus_call(c->bus, call, bus_time_left(c), &status_error, NULL);
        if (asked < 0 && !sd_bus_error_has_name(&status_error, SD_BUS_ERROR_TIMEOUT) &&
            strncmp(status_error.name ?: "", HA_ERROR_PREFIX, strlen(HA_ERROR_PREFIX)) != 0)
                /* Not ConfD's fault: nobody is there whose properties could be read. */
                return bus_error_report(c, "status", &status_error, asked);

        /* Properties are answered at once, but after a timeout there would be no time left even for that. */
        if (asked < 0)
                c->deadline = usec_add(now_monotonic(), USEC_PER_SEC);
        r = bus_get_properties(c, /* activate= */ true, &reply, &error);
        if (r >= 0)
                r = picture_read(&p, reply);
        if (r < 0)
                return bus_error_report(c, "status", &error, r);
        /* A ConfD that has not answered would not there either, and cost another second. */
        if (p.n_slaves > 0 && asked >= 0)
                slave_ages_ask(c, &ages);

        if (c->json != JSON_OFF)
                json_status(c, &p, &ages, asked < 0 ? &status_error : NULL);
        else {
                pager_open(c);
                status_print(&p, &ages);
        }
        if (asked < 0) {
                pager_close(c);
                return bus_error_report(c, "status", &status_error, asked);
        }
        return CTL_DONE;
}
