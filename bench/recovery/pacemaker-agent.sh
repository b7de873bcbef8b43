#!/bin/sh
# A resource agent as lean as can be: it starts the program, asks whether it is there, and kills it.
pidfile="/run/$OCF_RESOURCE_INSTANCE.pid"
pid=$(cat "$pidfile" 2>/dev/null)
case "$1" in
  start)
    # What runs already is left as it is. A zombie has no exe.
    [ -n "$pid" ] && [ -e "/proc/$pid/exe" ] && exit 0
    perl "$OCF_RESKEY_victim" "$OCF_RESKEY_stamps" "$OCF_RESKEY_name" "$OCF_RESKEY_clock" \
      </dev/null >/dev/null 2>&1 &
    echo $! >"$pidfile"
    ;;
  stop)
    [ -n "$pid" ] && kill -9 "$pid" 2>/dev/null
    rm -f "$pidfile"
    ;;
  monitor)
    [ -n "$pid" ] && [ -e "/proc/$pid/exe" ] && exit 0
    exit 7
    ;;
  meta-data)
    cat <<'XML'
<?xml version="1.0"?>
<resource-agent name="victim" version="1.0">
  <version>1.1</version>
  <longdesc lang="en">A program that is killed</longdesc>
  <shortdesc lang="en">A program that is killed</shortdesc>
  <parameters>
    <parameter name="victim"><content type="string"/></parameter>
    <parameter name="stamps"><content type="string"/></parameter>
    <parameter name="name"><content type="string"/></parameter>
    <parameter name="clock"><content type="string"/></parameter>
  </parameters>
  <actions>
    <action name="start" timeout="20s"/>
    <action name="stop" timeout="20s"/>
    <action name="monitor" timeout="20s" interval="1s"/>
    <action name="meta-data" timeout="5s"/>
  </actions>
</resource-agent>
XML
    ;;
  *) exit 3 ;;
esac
exit 0
