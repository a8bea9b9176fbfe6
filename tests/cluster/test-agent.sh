#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The resource agent's eyes, with a real service and a real node and nothing of Pacemaker's: who does not answer, and who is killed for it.
# shellcheck disable=SC2317 # cases name their commands
set -u
# shellcheck source=tests/cluster/cluster.sh
. "$(dirname "$0")/cluster.sh"

# The agent as it is installed, with tools that answer for a cluster of one and write down what they are told.
mkdir -p "$work/bin" "$work/run"
ln -s "$BUILD/src/ctl/confd-hactl" "$work/bin/confd-hactl"
sed "s,@ocflibdir@,$top/ocf,; s,@bindir@,$work/bin,; s,@sbindir@,$work/bin,; s,@version@,0," "$top/ocf/confd-ha.in" >"$work/agent"
cat >"$work/ocf-shellfuncs" <<'END'
OCF_SUCCESS=0 OCF_ERR_GENERIC=1 OCF_ERR_UNIMPLEMENTED=3 OCF_ERR_PERM=4 OCF_ERR_INSTALLED=5 OCF_ERR_CONFIGURED=6 OCF_NOT_RUNNING=7
OCF_RUNNING_MASTER=8 OCF_FAILED_MASTER=9
ocf_exit_reason() { echo "$*" >&2; }
ocf_is_probe() { false; }
END
tool() { # NAME, and what it does
        { echo '#!/bin/sh' && cat; } >"$work/bin/$1"
        chmod +x "$work/bin/$1"
}
tool logger </dev/null
tool attrd_updater <<END
case \$* in
*--query*confd-ha-in-sync-*) cat $work/in-sync ;;
*--query*master-confd*) cat $work/scores ;;
*--update*) echo "\$*" >>$work/told ;;
esac
END
tool cibadmin <<END
case \$* in
*--query*) cat $work/cib ;;
*) echo "\$*" >>$work/told ;;
esac
END
tool corosync-cmapctl <<<"cat $work/ring"
# Just before a master looks at its slaves, one of them may be lost.
tool flock <<END
[ "\$*" != '-w 3 8' ] || ! [ -e $work/lose ] || confd-hactl --quiet slave-dead n2
exec $(command -v flock) "\$@"
END
tool crm_node <<<'echo n1'
tool corosync-quorumtool <<<"cat $work/members"
members() { # NODE...
        printf 'Quorate:          Yes\nMembership information\n'
        printf '    1          1 %s\n' "$@"
}
members 'n1 (local)' >"$work/members"
echo '<crm_config/>' >"$work/cib"
: >"$work/in-sync"
: >"$work/scores"
: >"$work/ring"
more='' leaving=''
tool systemctl <<END
echo "\$*" >>$work/told
case \$* in
*kill*) echo 4243 >$work/process ;;
*-P*) cat $work/process ;;
*show*) echo "MainPID=\$(cat $work/process)" ;;
esac
END
agent() { # ROLE ACTION
        printf '%s\n' node=n1 role="$1" confd_unit=confd-ha-node.service address= timeout=4 process=4242 quick=yes $more ${leaving:+"$leaving"} >"$work/run/confd-ha-confd"
        echo 4242 >"$work/process"
        : >"$work/told"
        on n1 env OCF_FUNCTIONS_DIR="$work" HA_RSCTMP="$work/run" OCF_RESOURCE_INSTANCE=confd OCF_RESKEY_CRM_meta_on_node=n1 \
                OCF_RESKEY_CRM_meta_timeout=16000 OCF_RESKEY_timeout=4 OCF_RESKEY_confd_unit=confd-ha-node.service sh "$work/agent" "$2"
}
killed() { grep -o 'kill .*' "$work/told"; }
frozen() { kill -STOP "$(pid_of n1 "$1")"; }
thawed() { kill -CONT "$(pid_of n1 "$1")"; }

up 2
be_master n1 >/dev/null
fails 'a master is seen' 8 '' agent promoted monitor
is 'and nobody is killed' "$(killed)" ''

frozen node
fails 'a ConfD that does not answer is looked at again' 75 '' agent promoted look
is 'and killed' "$(killed)" 'kill --signal=KILL confd-ha-node.service'
fails 'a monitor says so' 1 'ConfD does not answer' agent started monitor
ok 'and leaves it to the next action to kill it' grep -qx frozen=yes "$work/run/confd-ha-confd"
thawed node

frozen service
fails 'a service that does not answer is looked at again' 75 '' agent promoted look
is 'and killed, while ConfD keeps its role' "$(killed)" 'kill --signal=KILL confd-ha.service'
fails 'a monitor tells the two apart' 7 'confd-ha.service is not there, or does not answer' agent started monitor
is 'and has nothing against ConfD' "$(grep frozen=yes "$work/run/confd-ha-confd")" ''
thawed service
eventually 'it is master still' state_is n1 master
fails 'and seen' 8 '' agent promoted monitor

"$hosts" kill "$c/n1" service >/dev/null
fails 'one that is away is waited for' 75 '' agent promoted look
is 'and nobody is killed for it' "$(killed)" ''

rm "$work/bin/confd-hactl"
tool confd-hactl <<<'echo "confd-hactl: not allowed" >&2; exit 4'
fails 'a ConfD that may not be asked fails a monitor' 1 'ConfD cannot be asked: confd-hactl: not allowed' agent started monitor
is 'and is not to be killed for that' "$(grep frozen=yes "$work/run/confd-ha-confd")" ''
ln -sf "$BUILD/src/ctl/confd-hactl" "$work/bin/confd-hactl"

# Who was in sync with the last master, n2, may offer itself; it has no score yet.
"$hosts" start "$c/n1" service >/dev/null
eventually 'it is master again' state_is n1 master
ctl n1 be-none >/dev/null
echo '<crm_config><nvpair id="s" name="confd-ha-set-confd" value="n2: n2 n1"/></crm_config>' >"$work/cib"
offer() { grep -o 'name master-confd .*' "$work/told"; }
fails 'nobody is master' 76 '' agent started look
is 'and the last one is waited for where this node has not seen it go' "$(offer)" 'name master-confd --update=-INFINITY'
echo 'name="confd-ha-in-sync-confd" host="n1" value="n2"' >"$work/in-sync"
members 'n1 (local)' n2 >"$work/members"
fails 'nobody is master, and the last one is a member' 76 '' agent started look
is 'that is waited for' "$(offer)" 'name master-confd --update=-INFINITY'
members 'n1 (local)' n3 >"$work/members"
fails 'nobody is master, and the last one has gone with its machine' 76 '' agent started look
is 'that is not waited for' "$(offer)" 'name master-confd --update=60'

# n2 is master, and this node follows it.
be_master n2 >/dev/null
printf 'nodelist.node.0.%s\n' 'name (str) = n2' "ring0_addr (str) = $(address n2)" >"$work/ring"
echo 'name="master-confd" host="n2" value="100"' >"$work/scores"
members 'n1 (local)' n2 >"$work/members"
more=cold=1
set_is() { echo "<crm_config><nvpair id=\"s\" name=\"confd-ha-set-confd\" value=\"$1\"/>${2:-}</crm_config>" >"$work/cib"; }
set_is 'n1: n1'
fails 'another is promoted than the one of the set, which is this node' 75 '' agent started look
more='overtaken=1 cold=1'
fails 'and stays so' 75 '' agent started look
is 'its data is not replaced' "$(ha n1 Master)" '(ss) "" ""'
is 'and it is to be promoted again' "$(offer)" 'name master-confd --update=100'
set_is 'n2: n2'
agent started look >/dev/null 2>&1
eventually 'n1 follows a master that the set has' state_is n1 slave
ok 'whose coming ends a start without one' grep -qx cold= "$work/run/confd-ha-confd"

# And the other way round.
ctl n2 be-none >/dev/null
eventually 'n1 has lost it' state_is n1 none
be_master n1 >/dev/null
be_slave n2 n1 >/dev/null
more=
set_is 'n1: n1'
echo 'name="confd-ha-in-sync-confd" host="n2" value="n1"' >"$work/in-sync"
modified() { grep -o 'value="n1: .*"' "$work/told"; }
agent promoted look >/dev/null 2>&1
is 'a slave that is in sync is written down' "$(modified)" 'value="n1: n1 n2"'
touch "$work/lose"
agent promoted look >/dev/null 2>&1
is 'one that is lost before this look has its turn is not' "$(modified)" ''
rm "$work/lose"

set_is 'n1: n1 n2'
stopping() { # NODE...
        OCF_RESKEY_CRM_meta_notify_type=pre OCF_RESKEY_CRM_meta_notify_operation=stop OCF_RESKEY_CRM_meta_notify_stop_uname="$* " \
                agent promoted notify
}
ok 'a slave is to be stopped' stopping n2
is 'and taken out of the set before' "$(modified)" 'value="n1: n1"'
leaving=$(grep leaving= "$work/run/confd-ha-confd")
be_slave n2 n1 >/dev/null
eventually 'it follows still' state_is n2 slave
set_is 'n1: n1'
fails 'a look comes before it has stopped' 75 '' agent promoted look
is 'and does not write it down again' "$(modified)" ''
leaving="leaving=1 n2"
agent promoted look >/dev/null 2>&1
is 'one that was never stopped is, some time later' "$(modified)" 'value="n1: n1 n2"'
more=
set_is 'n1: n1 n2'
ok 'all are to be stopped' stopping n1 n2
is 'and the set stays' "$(modified)" ''

printf 'name="master-confd" host="%s" value="100"\n' n1 n2 >"$work/scores"
set_is 'n2: n2'
fails 'two are promoted, and the set has the other' 75 '' agent promoted look
is 'which may be on its way here' "$(offer)" ''
more=overtaken=1
fails 'and it stays so' 75 '' agent promoted look
is 'this one gives up its role' "$(offer)" 'name master-confd --update=-INFINITY'
more=

set_is 'n1: n1' '<nvpair id="m" name="maintenance-mode" value="TRUE"/>'
fails 'maintenance is looked at again at a master' 76 '' agent promoted look
fails 'and at others' 76 '' agent started look
is 'and nothing is done in it' "$(cat "$work/told")" ''

# The one that was promoted is there, and cannot be asked.
"$hosts" kill "$c/n1" node >/dev/null
ok 'a role is given up' agent promoted demote
is 'with the process that cannot be asked' "$(killed)" 'kill --signal=KILL confd-ha-node.service'
finish
