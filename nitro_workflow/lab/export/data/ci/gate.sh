#!/bin/sh
# What must hold before this image is released:
#   ci/gate.sh IMAGE.eif
# It was looked at, the key policy admits it, and nobody gets the plaintext otherwise.
set -eu
cd "$(dirname "$0")/.."
image=${1:?usage: ci/gate.sh IMAGE.eif}
case $image in /*) ;; *) image=$OLDPWD/$image ;; esac

pcr0=$(nitro-workflow image measure "$image" | awk '$1 == "PCR0" { print $2 }')
[ "${#pcr0}" -eq 96 ] || { echo "no PCR0 of $image" >&2 && exit 1; }
grep -qF "$pcr0" measurements/*.json || {
    echo "PCR0 $pcr0 is none of measurements/: export again with --pcrs, and look at what changed" >&2
    exit 1
}
for policy in policies/key-policy.json cloudformation/data-key.json; do
    nitro-workflow policy check "$policy" --image "$image"
done
echo "The gate is open for PCR0 $pcr0"
