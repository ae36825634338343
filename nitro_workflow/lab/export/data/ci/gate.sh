#!/bin/sh
# What must hold before this image is released:
#   ci/gate.sh IMAGE.eif
# Its measurement is one of those that the key policy names, and nobody gets the plaintext otherwise.
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
    grep -qF "$pcr0" "$policy" || { echo "$policy does not name $pcr0" >&2 && exit 1; }
    nitro-workflow policy check "$policy"
done
echo "The gate is open for PCR0 $pcr0"
