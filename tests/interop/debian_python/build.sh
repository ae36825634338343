#!/bin/sh
# Unpack Debian trixie (Python 3.13) into the folder `root`: what a user has who installs python3,
# python3-venv, git and make. apt works in folders of its own here; root is not needed.
set -eu
suite=trixie
here=$(pwd)
rm -rf work root && mkdir -p work/lists/partial work/cache/archives/partial root/usr/bin && cd work

# The mirror is the one that this machine is set up for.
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Identifier: Packages' |
    awk -v codename="$codename" '$2 == codename && $3 == "main" { print $1; exit }')
[ -n "$mirror" ] || { echo "apt has no main component of $codename" >&2; exit 1; }
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >sources.list
apt() {
    apt-get -q -o Dir::State="$here/work" -o Dir::State::status=/dev/null \
        -o Dir::Cache="$here/work/cache" -o Dir::Etc::SourceList="$here/work/sources.list" \
        -o Dir::Etc::SourceParts=/dev/null -o APT::Sandbox::User="$(id -un)" \
        -o Debug::NoLocking=true "$@"
}
apt update
apt install --yes --download-only --no-install-recommends \
    bash coreutils dash diffutils findutils grep gzip hostname libc-bin libstdc++6 mawk mount \
    ncurses-base procps sed tar util-linux ca-certificates git make openssl python3 python3-venv
cd ../root
# Debian 13 has these in a package of its own, which is set up first.
for name in bin lib lib64 sbin; do ln -s "usr/$name" "$name"; done
for package in ../work/cache/archives/*.deb; do dpkg -x "$package" .; done
rm -rf ../work usr/share/doc usr/share/man usr/share/locale

# What the packages' own scripts would set up.
ln -sf mawk usr/bin/awk
mkdir -p proc sys dev run home tmp opt .before etc/ssl/certs
echo debian >etc/hostname
echo 'learner:x:1000:1000::/home:/bin/bash' >etc/passwd
echo 'learner:x:1000:' >etc/group
