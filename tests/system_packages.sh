#!/bin/sh
# What the tests need beside Python: Debian's squid. Installed where we may, named where not.
command -v squid >/dev/null 2>&1 || [ -x /usr/sbin/squid ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing squid for the tests ..."
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends squid >/dev/null
else
    echo "The tests need Debian's squid. Install it with: sudo apt install squid" >&2
    exit 1
fi
