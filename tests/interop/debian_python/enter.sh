#!/bin/sh
# Run a command in the unpacked Debian as its one user: enter.sh ROOT HOME WORD…
# A mount and a user namespace: no privilege of this machine is needed, and inside there is none.
set -eu
if [ "${1:-}" != inside ]; then
    exec unshare --user --map-user=1000 --map-group=1000 --keep-caps --mount -- "$0" inside "$@"
fi
root=$2 home=$3
shift 3
mount --bind "$root" "$root"
for name in proc sys dev; do mount --rbind "/$name" "$root/$name"; done
for name in run tmp; do mount -t tmpfs tmpfs "$root/$name"; done
mount --bind "$home" "$root/home"
for name in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
    : >>"$root$name"
    mount --bind "$(readlink -f "$name")" "$root$name"
done
cd "$root"
pivot_root . .before
umount --no-mtab --lazy /.before
cd /home
certificates=/etc/ssl/certs/ca-certificates.crt
exec setpriv --inh-caps=-all --ambient-caps=-all env -i HOME=/home USER=learner LANG=C.UTF-8 \
    PATH=/usr/bin:/usr/sbin SSL_CERT_FILE=$certificates PIP_CERT=$certificates \
    ${PIP_INDEX_URL:+PIP_INDEX_URL="$PIP_INDEX_URL"} ${UV_DEFAULT_INDEX:+UV_DEFAULT_INDEX="$UV_DEFAULT_INDEX"} "$@"
