#!/bin/sh
# Put Debian trixie's AWS CLI v2, rclone and s3fs with all they need into a folder of their own.
# apt works in folders of its own here: nothing is installed, and root is not needed. What is
# unpacked runs through its own dynamic loader (`bin/aws` …), whatever this machine's libc is.
set -eu
suite=trixie
here=$(pwd)
rm -rf work root bin && mkdir -p work/lists/partial work/cache/archives/partial root bin && cd work

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
apt install --yes --download-only --no-install-recommends awscli rclone s3fs
for package in cache/archives/*.deb; do dpkg -x "$package" ../root; done
cd .. && rm -rf work

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
