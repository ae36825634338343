#!/bin/sh
# Put Debian trixie's AWS CLI v2, rclone and s3fs with all they need into a folder of their own. What
# is unpacked runs through its own dynamic loader (`bin/aws` …), whatever this machine's libc is.
set -eu
here=$(pwd)
rm -rf root bin && mkdir bin
sh unpack_trixie.sh awscli rclone s3fs

# Debian 13 has /lib -> usr/lib in a package of its own; an unpacked tree needs it too.
loader=$(find root -name 'ld-linux-*.so.*' | head -1)
libraries="$here/root/usr/lib/$(basename "$(dirname "$(find root -name libc.so.6 | head -1)")")"
python=$(find root/usr/bin -name 'python3.*' | head -1)
run() { # name, then the program and what stands before its arguments
    name=$1 && shift
    printf '#!/bin/sh\nexec "%s" --library-path "%s" %s "$@"\n' "$here/$loader" "$libraries" "$*" >"bin/$name"
    chmod +x "bin/$name"
}
run rclone "$here/root/usr/bin/rclone"
run s3fs "$here/root/usr/bin/s3fs"
run aws "$here/$python" "$here/root/usr/bin/aws"
sed -i "2i export PYTHONHOME=$here/root/usr PYTHONPATH=$here/root/usr/lib/python3/dist-packages" bin/aws
