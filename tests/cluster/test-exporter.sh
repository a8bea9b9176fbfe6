#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The exporter, judged by those it is made for: promtool and Prometheus, the OpenMetrics parser of Python's client, HAProxy.
. "$(dirname "$0")/cluster.sh"

exporter=$BUILD/src/exporter/confd-ha-exporter
[ -x "$exporter" ] || skip_all "this build has no exporter: libmicrohttpd is missing"
for tool in promtool prometheus haproxy curl; do
        command -v $tool >/dev/null || skip_all "$tool is missing: tools/packages monitoring"
done

others=()
tap_at_exit() {
        local pid
        for pid in "${others[@]}"; do kill "$pid" 2>/dev/null; done
        for pid in "${others[@]}"; do wait "$pid" 2>/dev/null; done
}

up 2
for n in 1 2; do
        "$hosts" run "$c/n$n" "$exporter" --listen="$(address n$n)" >"$work/exporter$n.log" 2>&1 &
        others+=($!)
        eventually "the exporter of n$n serves" curl -sf "http://$(address n$n):9465/live"
done
url1=http://$(address n1):9465 url2=http://$(address n2):9465
status_of() { curl -s -o /dev/null -w '%{http_code}' "$@"; }

ok "n1 becomes master" ctl n1 be-master n1
ok "n2 follows" ctl n2 be-slave n2 n1 "$(address n1)"

# --- started by the first request, as by its socket ---
port=$((20000 + $$ % 20000))
"$hosts" run "$c/n1" systemd-socket-activate -E DBUS_SYSTEM_BUS_ADDRESS -l "$(address n1):$port" \
        "$exporter" >"$work/activated.log" 2>&1 &
others+=($!)
knocked() { status_of "http://$(address n1):$port/primary" | grep -v 000 >"$work/first"; }
eventually "a request starts it" knocked
is "and is answered as any other" "$(cat "$work/first")" 200

# --- probes ---
for probe in primary master read-only ready live; do
        is "n1: /$probe" "$(status_of "$url1/$probe")" 200
done
for probe in replica slave; do is "n1: /$probe" "$(status_of "$url1/$probe")" 503; done
for probe in replica slave read-only ready live; do
        is "n2: /$probe" "$(status_of "$url2/$probe")" 200
done
for probe in primary master; do is "n2: /$probe" "$(status_of "$url2/$probe")" 503; done
is "HEAD and OPTIONS answer as GET does" "$(status_of -I "$url1/primary") $(status_of -X OPTIONS "$url1/primary") $(status_of -X OPTIONS "$url2/primary")" "200 200 503"
ok "the body is a line of JSON" /usr/bin/python3 -c '
import json, sys, urllib.request
answer = json.load(urllib.request.urlopen(sys.argv[1] + "/master"))
assert answer["answer"] is True and answer["state"] == "master" and answer["node_id"] == "n1", answer' "$url1"

# --- metrics ---
# Orders are told by no signal: until the service is asked again, a second later at most, they are those of the last time.
counts_order() { curl -s "$url1/metrics" >"$work/metrics" && grep -q 'orders_total{order="BeMaster",outcome="ok"} 1' "$work/metrics"; }
eventually "the order is counted" counts_order
ok "promtool has nothing to say of the metrics" promtool check metrics <"$work/metrics"
ok "the OpenMetrics parser reads what is for it, and finds the numbers" /usr/bin/python3 - "$url1" <<'PY'
import sys, urllib.request
from prometheus_client.openmetrics.parser import text_string_to_metric_families
request = urllib.request.Request(sys.argv[1] + "/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
answer = urllib.request.urlopen(request)
assert answer.headers["Content-Type"].startswith("application/openmetrics-text"), answer.headers["Content-Type"]
families = {f.name: f for f in text_string_to_metric_families(answer.read().decode())}
sample = {(s.name, *sorted(s.labels.values())): s.value for f in families.values() for s in f.samples}
assert sample["confd_ha_state", "master"] == 1 and sample["confd_ha_slaves",] == 1 and sample["confd_ha_in_sync",] == 1, sample
assert sample["confd_ha_orders_total", "BeMaster", "ok"] == 1, sample
assert families["confd_ha_state"].type == "stateset" and families["confd_ha_confd"].type == "info"
assert families["confd_ha_order_duration_seconds"].type == "histogram"
PY
ctl n2 be-slave n2 nobody "$(address n1)" >/dev/null 2>&1
counted() { curl -s "$url2/metrics" | grep -q 'confd_ha_orders_total{order="BeSlave",outcome="BadName"} 1'; }
eventually "an order that fails is counted by its error" counted
ok "n2 follows again" ctl n2 be-slave n2 n1 "$(address n1)"

# --- what it costs the service ---
"$hosts" run "$c/n1" dbus-monitor --system "type='method_call',member='GetAll'" >"$work/calls" 2>&1 &
others+=($!)
eventually "the bus is watched" grep -q NameAcquired "$work/calls"
started=$(date +%s)
for _ in $(seq 100); do curl -s -o /dev/null "$url1/metrics" -o /dev/null "$url1/primary"; done
took=$(($(date +%s) - started))
asked=$(grep -c 'member=GetAll' "$work/calls")
ok "200 requests ask the service at most once a second ($asked in $took s)" test "$asked" -le $((took + 2))

# --- who is not nice ---
/usr/bin/python3 "$(dirname "$0")/exporter-abuse.py" "$(address n1)" 9465 >"$work/abuse" 2>&1
while read -r line; do
        case $line in
        ok\ *) tap_result yes "${line#ok }" ;;
        *) tap_result no "${line#not ok }" || : ;;
        esac
done <"$work/abuse"

# --- Prometheus ---
net=$(address n1); net=${net%.*}
cat >"$work/prometheus.yml" <<END
scrape_configs:
  - job_name: confd-ha
    scrape_interval: 1s
    static_configs:
      - targets: ['$(address n1):9465', '$(address n2):9465']
        labels: {cluster: core}
rule_files: ['$top/docs/monitoring/alerts.yml']
END
ok "promtool has nothing to say of the alerts" promtool check rules "$top/docs/monitoring/alerts.yml"
ok "the alerts' tests pass" promtool test rules "$top/docs/monitoring/alerts-test.yml"
ok "the dashboard is JSON, and asks for metrics that there are" /usr/bin/python3 - "$top/docs/monitoring/dashboard.json" "$work/metrics" <<'PY'
import json, re, sys
metrics = open(sys.argv[2]).read() + " confd_ha_last_error_timestamp_seconds"
for panel in json.load(open(sys.argv[1]))["panels"]:
    for target in panel["targets"]:
        for name in re.findall(r"\bconfd_ha_\w+", target["expr"]):
            assert name in metrics, name
PY
prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/prometheus" \
        --web.listen-address="$net.240:9090" >"$work/prometheus.log" 2>&1 &
others+=($!)
query() { curl -s --data-urlencode "query=$1" "http://$net.240:9090/api/v1/query" | /usr/bin/python3 -c '
import json, sys
print(*sorted(r["metric"].get("instance", "") + "=" + r["value"][1] for r in json.load(sys.stdin)["data"]["result"]))'; }
asks() { [ "$(query "$1")" = "$2" ]; }
eventually "Prometheus scrapes both" asks 'up{job="confd-ha"}' "$(address n1):9465=1 $(address n2):9465=1"
eventually "and knows the master" asks 'confd_ha_state{confd_ha_state="master"} == 1' "$(address n1):9465=1"

# --- HAProxy ---
interval=1
cat >"$work/haproxy.cfg" <<END
defaults
        mode http
        timeout connect 2s
        timeout client 10s
        timeout server 10s
frontend writes
        bind $net.241:8080
        default_backend masters
backend masters
        option httpchk GET /primary
        http-check expect status 200
        default-server inter ${interval}s fall 1 rise 1
        server n1 $(address n1):9465 check
        server n2 $(address n2):9465 check
END
haproxy -f "$work/haproxy.cfg" >"$work/haproxy.log" 2>&1 &
others+=($!)
serves() { curl -s "http://$net.241:8080/primary" | grep -q "\"node_id\":\"$1\""; }
eventually "HAProxy sends to n1" serves n1
ok "n1 gives up" ctl n1 be-none
ok "n2 takes over" ctl n2 be-master n2
started=$(date +%s%N)
eventually "HAProxy sends to n2" serves n2
took=$((($(date +%s%N) - started) / 1000000))
ok "within two check intervals ($took ms)" test $took -le $((2 * interval * 1000))

# --- the service dies ---
ok "n2's service is killed" "$hosts" kill "$c/n2" service
is "nothing is known: /metrics tells so" "$(curl -s "$url2/metrics" | grep '^confd_ha')" "confd_ha_up 0"
is "/live says no" "$(status_of "$url2/live")" 503
ok "it is started again" "$hosts" start "$c/n2" service
eventually "and is found" curl -sf "$url2/primary"
is "the exporters had nothing to complain of" "$(cat "$work"/exporter?.log | grep -v 'the oldest one is closed')" ""
finish
