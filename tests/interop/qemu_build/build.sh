#!/bin/sh
# Put QEMU with `-M nitro-enclave` and its firmware here. No Debian binary of QEMU has that machine,
# so its source package is built with little else than it. apt works in folders of its own here: nothing is installed, and root is not needed.
# Usage: build.sh PYTHON
set -eu
suite=trixie
here=$(pwd)
rm -rf work parts && mkdir -p work/lists/partial work/cache/archives/partial parts && cd work

# The mirror is the one that this machine is set up for.
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Identifier: Packages' |
    awk -v codename="$codename" '$2 == codename && $3 == "main" { print $1; exit }')
[ -n "$mirror" ] || { echo "apt has no main component of $codename" >&2; exit 1; }
for kind in deb deb-src; do
    echo "$kind [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
done >sources.list
apt() {
    tool=$1 && shift
    "$tool" -q -o Dir::State="$here/work" -o Dir::State::status=/dev/null \
        -o Dir::Cache="$here/work/cache" -o Dir::Etc::SourceList="$here/work/sources.list" \
        -o Dir::Etc::SourceParts=/dev/null -o APT::Sandbox::User="$(id -un)" "$@"
}
apt apt-get update
apt apt-get download meson qemu-system-data
apt apt-get source qemu
for package in *.deb; do dpkg -x "$package" unpacked; done

cp unpacked/usr/share/qemu/qboot.rom unpacked/usr/share/qemu/linuxboot_dma.bin \
    unpacked/usr/share/qemu/pvh.bin ../parts

source=$(find . -maxdepth 1 -type d -name 'qemu-*')
echo CONFIG_NITRO_ENCLAVE=y >"$source/configs/devices/x86_64-softmmu/nitro.mak"
mkdir build && cd build
# meson runs from where it was unpacked, in the build too.
export PYTHONPATH="$here/work/unpacked/usr/lib/python3/dist-packages"
"../$source/configure" \
    --python="$1" --disable-download --target-list=x86_64-softmmu \
    --without-default-features --without-default-devices --with-devices-x86_64=nitro \
    --enable-system --enable-tcg --enable-fdt=system --enable-gnutls --enable-libcbor \
    --enable-vhost-user --disable-docs --disable-tools --disable-guest-agent --disable-install-blobs
ninja qemu-system-x86_64
strip -o ../../parts/qemu-system-x86_64 qemu-system-x86_64
cd ../.. && rm -rf work
