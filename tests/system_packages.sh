#!/bin/sh
# What the tests need beside Python, all from Debian: the programs that it works with; strace, by which a disk fails; and
# sqlmap, which attacks it.
# Installed where we may, named where not.
PATH="$PATH:/usr/sbin"
missing=""
for program in squid chromium strace nginx logrotate openssl sqlmap; do
    command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing$missing for the tests ..."
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "The tests need Debian's$missing. Install with: sudo apt install$missing" >&2
    exit 1
fi
