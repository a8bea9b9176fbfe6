/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the explanations of errors. */
#include "basic/util.h"
#include "ctl/ctl.h"
#include "ctl/error-table.h"

#define HA(name) HA_ERROR_PREFIX name
#define DBUS(name) "org.freedesktop.DBus.Error." name
#define NODE(name) "org.confd.HANode.Error." name

const struct error_entry error_table[] = {
        { HA("NotConnected"), 0, NULL,
          "The service has no connection to ConfD, or lost it while the order was under way.",
          "Does ConfD run, and does it listen where Address= in /etc/confd-ha/confd-ha.conf says? 'confd-hactl status' "
          "shows the address and the last error. A ConfD on another host needs a drop-in for confd-ha.service with "
          "IPAddressAllow=ADDRESS, see confd-ha.conf(5). The service goes on trying by itself." },
        { HA("NoToken"), 0, NULL,
          "The service has no HA token, so it does not connect to ConfD.",
          "Create the file that TokenFile= names (default /etc/confd-ha/token), with the same content on every node of "
          "the cluster: (umask 027; openssl rand -hex 32 > /etc/confd-ha/token). It has to be readable by the group "
          "confd-ha; one that others may read is refused. Then 'confd-hactl reload'." },
        { HA("Timeout"), 0, NULL,
          "ConfD was sent an order and did not answer within RequestTimeoutSec=. The order may still take effect.",
          "'confd-hactl status' tells what came of it. ConfD may hang or be busy: look at its own log, and at the load "
          "of the machine. The service has dropped the connection and makes a new one." },
        { HA("BadState"), 17, "BADSTATE",
          "The order does not fit the node's state: be-relay on a node that is no slave, or any order while ConfD is "
          "in start phase 0, or be-relay during a be-slave.",
          "'confd-hactl status' shows the state. A ConfD that was started with --start-phase0 has to be moved on "
          "(confd --start-phase1, --start-phase2) before it takes orders." },
        { HA("Connect"), 25, "HA_CONNECT",
          "The node could not connect to the master that it was told to follow.",
          "Is the address right, is that node up and master (or relay), and does it listen on the HA port (4570 by "
          "default) of that address? Look for a firewall between the two. A master takes 254 slaves at most." },
        { HA("Closed"), 26, "HA_CLOSED",
          "The connection to the other node was closed: the master went down, or the first copy of the data broke off.",
          "Look at the other node: is it up, did it restart, did somebody give it another role? During a be-slave also "
          "look at both nodes' logs and at the free disk space here. Repeat the order once the master stands." },
        { HA("BadSchema"), 27, "HA_BADFXS",
          "The two nodes have different sets of schemas (fxs files), or different versions of them.",
          "Install the same set in the same versions on both nodes; the master's is the one to match." },
        { HA("BadToken"), 28, "HA_BADTOKEN",
          "The two nodes have different tokens.",
          "Compare /etc/confd-ha/token on both nodes (sha256sum), make them equal, 'confd-hactl reload' on the one "
          "that changed, and repeat the order." },
        { HA("BadName"), 29, "HA_BADNAME",
          "The node at that address has another id than the one given, or the id is this node's own, or following it "
          "would close a circle of relays.",
          "'confd-hactl -H MASTER status' shows the id that the master goes by; each id may be used once in a cluster." },
        { HA("Bind"), 30, "HA_BIND",
          "The node could not listen on its HA address, so it did not take the role.",
          "Does the address exist on this host (ip addr), and does another program hold the port (ss -ltnp, port 4570 "
          "by default)?" },
        { HA("NoTick"), 31, "HA_NOTICK",
          "The other node was silent for three tick intervals and counts as dead.",
          "It may be down, frozen or overloaded, or the network between the two may be cut. Look at it and at the "
          "links; the tick timeout is set in ConfD's own configuration." },
        { HA("WithUpgrade"), 47, "HA_WITH_UPGRADE",
          "An in-service upgrade is under way, and the role cannot change meanwhile.",
          "Let the upgrade end, or abort it, and repeat the order." },
        { HA("BadVersion"), 52, "HA_BADVSN",
          "The two nodes run versions of ConfD that cannot replicate with each other.",
          "'confd --version' on both nodes; upgrade one of them." },
        { HA("BadConfig"), 69, "HA_BADCONFIG",
          "ConfD's own HA configuration does not allow this.",
          "Look at the section confdConfig/ha of confd.conf: is HA enabled, with a valid address, port and tick timeout?" },
        { HA("Aborted"), 71, "HA_ABORT",
          "The order was ended by a later one inside ConfD.",
          "'confd-hactl history' shows the orders and who gave them. Repeat the order if it is still wanted." },
        { HA("NotInSync"), 0, NULL,
          "take-over was refused: this node's data was not in sync under that master to the end, so it may lack what others "
          "have acknowledged.",
          "The message says what is known; 'confd-hactl status' shows when and under whom the data was last in place. Make "
          "a node master that has it all. An administrator who knows that this one is the best there is uses be-master." },
        { HA("Inhibited"), 0, NULL,
          "Somebody holds the roles as they are, for an upgrade or a backup, say; the message names who, and why.",
          "'confd-hactl inhibitors' shows who inhibits since when. Wait until it is over, or give the order with "
          "--ignore-inhibitors, for which polkit has an action of its own (org.confd.HA.ignore-inhibitors)." },
        { HA("AccessDenied"), 3, "ACCESS_DENIED",
          "ConfD refused the IPC access secret.",
          "AccessFile= in /etc/confd-ha/confd-ha.conf, or the credential ipc-access, must hold the very bytes of "
          "the file that ConfD was started with (CONFD_IPC_ACCESS_FILE); then 'confd-hactl reload'." },
        { HA("BadConfiguration"), 0, NULL,
          "A configuration file of confd-ha has a mistake; the message names the file and the line. (BadConfig is another "
          "error: ConfD's own HA configuration.)",
          "Mend /etc/confd-ha/confd-ha.conf, or what is in /etc/confd-ha/confd-ha.conf.d, see confd-ha.conf(5); then "
          "'confd-hactl reload', or 'systemctl start confd-ha.service' if it has ended." },
        { HA("Secret"), 0, NULL,
          "A secret of confd-ha's, the HA token or the IPC access secret, cannot be read or used; the message names the file "
          "or the credential.",
          "It has to be readable by the group confd-ha, and by nobody beyond: chgrp confd-ha FILE; chmod 0640 FILE. A "
          "credential (ha-token, ipc-access) overrides the file, and changes only by restart. Files below /home, /root, "
          "/tmp and /run/user are hidden from the service by its sandbox." },
        { HA("Protocol"), 0, NULL,
          "What answered at ConfD's address did not speak ConfD's IPC protocol, or broke its rules.",
          "Does Address= name ConfD's IPC port (4565, NSO 4569) and not another service's? The journal has the details: "
          "journalctl -u confd-ha.service" },
        { HA("Superseded"), 0, NULL,
          "A later order took the place of this be-slave before it was done.",
          "'confd-hactl history' shows which order came later, and from whom. One HA framework should give the orders." },
        { HA("Displaced"), 0, NULL,
          "Another HA client connected to ConfD, which takes orders from one client at a time, and the service lost "
          "its connection to it.",
          "Look for another framework or script that uses ConfD's HA API on this host: ss -tnp 'dport = :4565'. Stop it, "
          "or stop confd-ha.service. The service comes back by itself, but never fights." },
        { HA("Failed"), 0, NULL,
          "ConfD gave an error that has no name of its own here; its number is in the message.",
          "'confd-hactl explain NUMBER' names it. ConfD's own log says more." },

        { DBUS("AccessDenied"), 0, NULL,
          "The bus or polkit did not allow it.",
          "Root may always. Others need a polkit rule for the actions org.confd.HA.* (an example that lets the group "
          "confd-ha-admin is in the documentation directory), or the password of an administrator: run it on a "
          "terminal without --no-ask-password. If polkit does not run, only root is let through." },
        { DBUS("InteractiveAuthorizationRequired"), 0, NULL,
          "polkit would let you, once you have authenticated, but the caller asked for no questions.",
          "Leave out --no-ask-password and run it on a terminal, or with busctl add --allow-interactive-authorization=yes." },
        { DBUS("AuthFailed"), 0, NULL,
          "The bus itself did not accept you.",
          "Are you on the right bus? DBUS_SYSTEM_BUS_ADDRESS and --address choose it." },
        { DBUS("InvalidArgs"), 0, NULL,
          "An argument is not as it must be.",
          "Node ids are 1 to 127 bytes of UTF-8 without control or invisible characters; a master's address is an IPv4 or IPv6 "
          "address without port or name (names need AllowAddressStrings=yes)." },
        { DBUS("LimitsExceeded"), 0, NULL,
          "Too many calls wait already: 16 orders of one connection, 64 of one user or 256 in all, or 64, 512 or 4096 questions.",
          "Something gives orders, or asks, faster than ConfD answers: 'confd-hactl history --all' shows who." },
        { DBUS("ServiceUnknown"), 0, NULL,
          "Nobody owns the name org.confd.HA, and the bus cannot start the service.",
          "Is confd-ha installed and enabled, and are you on the right bus? systemctl status confd-ha.service" },
        { DBUS("NameHasNoOwner"), 0, NULL,
          "The service does not run.",
          "systemctl start confd-ha.service" },
        { DBUS("NoReply"), 0, NULL,
          "The service ended, or was ended, before it answered. An order may still take effect.",
          "systemctl status confd-ha.service; then 'confd-hactl status'." },
        { DBUS("Timeout"), 0, NULL,
          "No answer came within the caller's own time limit. An order may still take effect.",
          "'confd-hactl status' shows what came of it. A be-slave takes as long as its copy does: give it a longer "
          "--timeout=, or --no-wait and then 'confd-hactl wait synced'." },
        { DBUS("TimedOut"), 0, NULL,
          "The bus tried to start the service, and it did not come up in time.",
          "systemctl status confd-ha.service; journalctl -u confd-ha.service" },
        { DBUS("Disconnected"), 0, NULL,
          "The connection to the bus was closed.",
          "Did dbus restart? With -H: is systemd-stdio-bridge installed there (package systemd)?" },
        { DBUS("NoServer"), 0, NULL,
          "No bus listens at the address.",
          "systemctl status dbus.socket; DBUS_SYSTEM_BUS_ADDRESS and --address choose the bus." },
        { DBUS("FileNotFound"), 0, NULL,
          "The socket of the bus does not exist.",
          "systemctl status dbus.socket; DBUS_SYSTEM_BUS_ADDRESS and --address choose the bus." },
        { DBUS("Spawn.ChildExited"), 0, NULL,
          "The bus started the service, and it ended at once.",
          "journalctl -u confd-ha.service; a bad configuration file ends it with status 78." },
        { DBUS("UnknownMethod"), 0, NULL,
          "The service does not know this method.",
          "confd-hactl and the service may be of different versions: confd-hactl --version, 'confd-hactl status'." },
        { DBUS("UnknownObject"), 0, NULL,
          "The program that owns org.confd.HA has no object /org/confd/HA.",
          "Which program is it? busctl status org.confd.HA" },
        { DBUS("UnknownInterface"), 0, NULL,
          "The program that owns org.confd.HA does not have the interface.",
          "Which program is it? busctl status org.confd.HA" },
        { DBUS("UnknownProperty"), 0, NULL,
          "The service does not have this property.",
          "confd-hactl and the service may be of different versions: confd-hactl --version, 'confd-hactl status'." },
        { DBUS("PropertyReadOnly"), 0, NULL,
          "Properties of the service tell its state and cannot be set.",
          "Roles are changed by orders: confd-hactl --help" },
        { DBUS("NoMemory"), 0, NULL,
          "The service, or the bus, has no memory left.",
          "systemctl status confd-ha.service shows what it uses; journalctl -k shows whether the kernel ended something." },
        { DBUS("Failed"), 0, NULL,
          "The bus, or a program behind it, failed for a reason that has no name; the message says more.",
          "journalctl -u confd-ha.service -u dbus.service" },

        { NODE("NotFound"), 0, NULL, "The reference node has no entry with this key.",
          "busctl call org.confd.HANode /org/confd/HANode org.confd.HANode List ssu '' '' 0" },
        { NODE("BadKey"), 0, NULL, "A key is not as it must be.", "Keys are 1 to 511 bytes and start with '/'." },
        { NODE("TooLarge"), 0, NULL, "A value or a transaction is too large.",
          "Values have at most 8 MiB, a transaction at most 16 MiB and 65536 changes: make several of it." },
        { NODE("NoSpace"), 0, NULL, "The reference node's disk is full; nothing was changed.",
          "df of its DataDirectory=; during a copy it needs twice the space of its data." },
        { NODE("Busy"), 0, NULL, "The reference node cannot take this transaction now.", "Try again in a moment." },
        { NODE("NotReady"), 0, NULL, "The reference node is in a start phase below 2, in which it takes no writes yet.",
          "confd-ha-phase2.service moves it on once it has a role; by hand: busctl call org.confd.HANode /org/confd/HANode "
          "org.confd.HANode SetPhase u 2" },
        { NODE("Uncertain"), 0, NULL,
          "What became of the transaction is not certain: it is stored here and perhaps nowhere else, or not here and perhaps at "
          "slaves that were given it. The message says which.",
          "Read at the present master ('confd-hactl cluster' names it) whether it is there, and write it again if not." },
        { NODE("ReadOnly"), 0, NULL, "The reference node is a slave, or is joining, and takes no writes.",
          "Write at the master: 'confd-hactl status' names it." },
};

const size_t error_table_size = ELEMENTSOF(error_table);

static const char *const confd_names[CONFD_ERROR_MAX + 1] = {
        [1] = "NOEXISTS",
        [2] = "ALREADY_EXISTS",
        [3] = "ACCESS_DENIED",
        [4] = "NOT_WRITABLE",
        [5] = "BADTYPE",
        [6] = "NOTCREATABLE",
        [7] = "NOTDELETABLE",
        [8] = "BADPATH",
        [9] = "NOSTACK",
        [10] = "LOCKED",
        [11] = "INUSE",
        [12] = "NOTSET",
        [13] = "NON_UNIQUE",
        [14] = "BAD_KEYREF",
        [15] = "TOO_FEW_ELEMS",
        [16] = "TOO_MANY_ELEMS",
        [17] = "BADSTATE",
        [18] = "INTERNAL",
        [19] = "EXTERNAL",
        [20] = "MALLOC",
        [21] = "PROTOUSAGE",
        [22] = "NOSESSION",
        [23] = "TOOMANYTRANS",
        [24] = "OS",
        [25] = "HA_CONNECT",
        [26] = "HA_CLOSED",
        [27] = "HA_BADFXS",
        [28] = "HA_BADTOKEN",
        [29] = "HA_BADNAME",
        [30] = "HA_BIND",
        [31] = "HA_NOTICK",
        [32] = "VALIDATION_WARNING",
        [33] = "SUBAGENT_DOWN",
        [34] = "LIB_NOT_INITIALIZED",
        [35] = "TOO_MANY_SESSIONS",
        [36] = "BAD_CONFIG",
        [37] = "RESOURCE_DENIED",
        [38] = "INCONSISTENT_VALUE",
        [39] = "APPLICATION_INTERNAL",
        [40] = "UNSET_CHOICE",
        [41] = "MUST_FAILED",
        [42] = "MISSING_INSTANCE",
        [43] = "INVALID_INSTANCE",
        [44] = "UNAVAILABLE",
        [45] = "EOF",
        [46] = "NOTMOVABLE",
        [47] = "HA_WITH_UPGRADE",
        [48] = "TIMEOUT",
        [49] = "ABORTED",
        [50] = "XPATH",
        [51] = "NOT_IMPLEMENTED",
        [52] = "HA_BADVSN",
        [53] = "POLICY_FAILED",
        [54] = "POLICY_COMPILATION_FAILED",
        [55] = "POLICY_EVALUATION_FAILED",
        [57] = "START_FAILED",
        [58] = "DATA_MISSING",
        [59] = "CLI_CMD",
        [60] = "UPGRADE_IN_PROGRESS",
        [61] = "NOTRANS",
        [67] = "NO_MOUNT_ID",
        [68] = "STALE_INSTANCE",
        [69] = "HA_BADCONFIG",
        [70] = "TRANSACTION_CONFLICT",
        [71] = "HA_ABORT",
};

const char *confd_error_name(int code) {
        return code >= 0 && code <= CONFD_ERROR_MAX ? confd_names[code] : NULL;
}
