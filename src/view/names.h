/* SPDX-License-Identifier: Apache-2.0 */
/* The service's names on the bus, for its clients. */
#pragma once

#define HA_BUS_NAME "org.confd.HA"
#define HA_OBJECT "/org/confd/HA"
#define HA_INTERFACE "org.confd.HA"
#define HA_ERROR_PREFIX "org.confd.HA.Error."
