#!/bin/sh
# Put this machine's own Debian release of socat, nginx, busybox, ip and python3 into the folder
# `root`, with all they need: the root filesystem of an enclave. apt works in folders of its own.
set -eu
here=$(pwd)
rm -rf work root && mkdir -p work/lists/partial work/cache/archives/partial root
apt() {
    apt-get -q -o Dir::State="$here/work" -o Dir::State::status=/dev/null \
        -o Dir::Cache="$here/work/cache" -o APT::Sandbox::User="$(id -un)" \
        -o Debug::NoLocking=true "$@"
}
apt update
apt install --yes --download-only --no-install-recommends \
    socat nginx-light busybox-static dash coreutils iproute2 python3-minimal
for package in work/cache/archives/*.deb; do dpkg -x "$package" root; done
rm -rf work root/usr/share/doc root/usr/share/man root/usr/share/locale
