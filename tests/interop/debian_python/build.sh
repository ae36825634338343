#!/bin/sh
# Unpack Debian trixie (Python 3.13) into the folder `root`: what a user has who installs python3,
# python3-venv, git and make.
set -eu
rm -rf root && mkdir -p root/usr/bin
# Debian 13 has these in a package of its own, which is set up first.
for name in bin lib lib64 sbin; do ln -s "usr/$name" "root/$name"; done
sh unpack_trixie.sh \
    bash coreutils dash diffutils findutils grep gzip hostname libc-bin libstdc++6 mawk mount \
    ncurses-base procps sed tar util-linux ca-certificates git make openssl python3 python3-venv
cd root
rm -rf usr/share/doc usr/share/man usr/share/locale

# What the packages' own scripts would set up.
ln -sf mawk usr/bin/awk
mkdir -p proc sys dev run home tmp opt .before etc/ssl/certs
echo debian >etc/hostname
echo 'learner:x:1000:1000::/home:/bin/bash' >etc/passwd
echo 'learner:x:1000:' >etc/group
