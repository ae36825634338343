#!/bin/sh
# Unpack packages of Debian trixie with all they need into the folder `root`: unpack_trixie.sh PACKAGE…
# apt works in folders of its own here: nothing is installed, and root is not needed.
set -eu
suite=trixie
here=$(pwd)
rm -rf work && mkdir -p work/lists/partial work/cache/archives/partial root && cd work

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
apt install --yes --download-only --no-install-recommends "$@"
for package in cache/archives/*.deb; do dpkg -x "$package" ../root; done
cd .. && rm -rf work
