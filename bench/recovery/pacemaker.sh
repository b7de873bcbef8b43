#!/bin/sh
# Pacemaker above corosync as one node, in namespaces of its own: nothing of the machine's own is read or written.
#   unshare --mount --net --uts sh pacemaker.sh <directory> <agent>
# Says `ready` when the node is online and the resources of <directory>/resources.xml run. Each line that it reads
# is the name of a resource to tell as failed. It ends when there are no more.
set -e
dir=$1
agent=$2
mount --make-rprivate /
for each in /var/lib/pacemaker /var/lib/corosync /etc/corosync /run /var/log /dev/shm /usr/lib/ocf/resource.d; do
  mkdir -p "$each"
  mount -t tmpfs tmpfs "$each"
done
mkdir -p /run/crm /run/resource-agents /var/log/pacemaker /var/log/corosync /usr/lib/ocf/resource.d/bench
for each in cib pengine blackbox cores; do mkdir -p "/var/lib/pacemaker/$each"; done
chown -R hacluster:haclient /var/lib/pacemaker /run/crm /var/log/pacemaker
cp "$agent" /usr/lib/ocf/resource.d/bench/victim
chmod 755 /usr/lib/ocf/resource.d/bench/victim
hostname here
ip link set lo up
cat >/etc/corosync/corosync.conf <<'CONF'
totem {
  version: 2
  cluster_name: bench
  transport: udpu
  crypto_cipher: none
  crypto_hash: none
}
nodelist {
  node {
    ring0_addr: 127.0.0.1
    name: here
    nodeid: 1
  }
}
quorum {
  provider: corosync_votequorum
}
logging {
  to_stderr: yes
  to_syslog: no
}
CONF

# Tries a command until it works, for 30 s.
wait_for() {
  tries=0
  until "$@" >/dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 150 ] || { echo "failed: $*"; return 1; }
    sleep 0.2
  done
}
is_online() { crm_mon -1 | grep -q "Online:.*here"; }
run_all() { [ "$(crm_mon -1 | grep -c "Started here")" = "$(grep -c '<primitive' "$dir/resources.xml")" ]; }

corosync -f >"$dir/corosync.log" 2>&1 </dev/null &
corosync=$!
pacemaker=
end() {
  trap - EXIT TERM INT
  [ -z "$pacemaker" ] || { kill "$pacemaker" && wait "$pacemaker"; } 2>/dev/null || true
  { kill "$corosync" && wait "$corosync"; } 2>/dev/null || true
}
trap end EXIT
trap 'exit 0' TERM INT
wait_for corosync-cmapctl
pacemakerd >"$dir/pacemakerd.log" 2>&1 </dev/null &
pacemaker=$!
wait_for is_online
wait_for crm_attribute -n stonith-enabled -v false
cibadmin --modify -o resources --xml-file "$dir/resources.xml"
wait_for run_all
echo ready
while read -r resource; do
  crm_resource --fail -r "$resource" -N here >/dev/null 2>&1 </dev/null &
done
