# shellcheck shell=bash
# The start of a parent instance on Amazon Linux 2023: cloud-init runs it once, as root. Its values
# stand before it. Where it has come to is in start.json, which the administrator reads; whatever
# fails stands there with its step, and the instance stays for a look until its own end.
set -euo pipefail
umask 022

readonly STATE=/var/lib/nitro-workflow
readonly LOG=/var/log/nitro-workflow-start.log

mkdir -p "$STATE"
exec >>"$LOG" 2>&1

step=begin
reason=""

mark() {
    printf '{"state": "%s", "step": "%s", "reason": "%s"}\n' "$1" "$step" "$reason" >"$STATE/start.json.new"
    mv "$STATE/start.json.new" "$STATE/start.json"
}

# shellcheck disable=SC2317  # called by the trap
ended() {
    local code=$?
    if [ "$code" -ne 0 ]; then
        reason=${reason:-"status $code"}
        mark failed
    fi
}
trap ended EXIT

begin() {
    step=$1
    mark starting
    echo "== $step"
}

fail() {
    reason=$1
    exit 1
}

# The first packets of a new instance can be lost, and its role may not be known everywhere yet.
patiently() {
    local try
    for try in 1 2 3 4 5; do
        if "$@"; then return 0; fi
        echo "try $try has failed: $1"
        sleep "$PAUSE"
    done
    return 1
}

begin clock
if [ "$STOP_MINUTES" -gt 0 ]; then
    shutdown -h "+$STOP_MINUTES"
fi

begin packages
patiently dnf install -y -q aws-nitro-enclaves-cli aws-nitro-enclaves-cli-devel python3.12 ||
    fail "dnf has not installed the packages: no way out to their repositories"

begin module
modprobe nitro_enclaves || fail "this kernel has no module nitro_enclaves"
[ -e /dev/nitro_enclaves ] ||
    fail "no /dev/nitro_enclaves: the instance was launched without EnclaveOptions"

begin allocator
mkdir -p /etc/nitro_enclaves
printf -- '---\nmemory_mib: %d\ncpu_count: %d\n' "$MEMORY_MIB" "$CPUS" \
    >/etc/nitro_enclaves/allocator.yaml
systemctl enable nitro-enclaves-allocator.service
systemctl restart nitro-enclaves-allocator.service ||
    fail "nitro-enclaves-allocator has not started: too few CPUs or too little memory in one piece"

begin pages
# The allocator has been seen to end well with nothing set apart.
found_mib=0
for pool in /sys/kernel/mm/hugepages/hugepages-*kB; do
    [ -e "$pool/nr_hugepages" ] || continue
    size_kib=${pool##*hugepages-}
    size_kib=${size_kib%kB}
    found_mib=$((found_mib + $(cat "$pool/nr_hugepages") * size_kib / 1024))
done
[ "$found_mib" -ge "$MEMORY_MIB" ] ||
    fail "huge pages of $found_mib MiB are set apart, of the $MEMORY_MIB MiB asked for"
[ -n "$(cat /sys/module/nitro_enclaves/parameters/ne_cpus)" ] ||
    fail "no CPUs are set apart for enclaves"

begin program
readonly FOLDER=$STATE/instance
readonly PROGRAM=/opt/nitro-workflow/parent
patiently aws s3api get-object --region "$REGION" --bucket "$BUCKET" --key "$KEY" \
    "$STATE/parent.tar" || fail "the parent's program cannot be got from the bucket"
echo "$SHA256  $STATE/parent.tar" | sha256sum --check --quiet ||
    fail "the parent's program is not the one that was sent"
rm -rf "$PROGRAM"
mkdir -p "$PROGRAM"
tar --extract --no-same-owner --file "$STATE/parent.tar" --directory "$PROGRAM"
settings=(
    "PYTHONPATH=$PROGRAM" "PYTHONUNBUFFERED=1" "PYTHONDONTWRITEBYTECODE=1" "LC_ALL=C.UTF-8"
    "NITRO_WORKFLOW_INSTANCE=$FOLDER" "HOME=$FOLDER/state"
    "AWS_REGION=$REGION" "AWS_DEFAULT_REGION=$REGION"
    "AWS_CONFIG_FILE=/dev/null" "AWS_SHARED_CREDENTIALS_FILE=/dev/null"
)
{
    echo '#!/bin/sh'
    echo "exec env ${settings[*]} python3.12 -sP -m nitro_workflow.host.ec2.on_instance \"\$1\""
} >/opt/nitro-workflow/answer
chmod 755 /opt/nitro-workflow/answer

begin user
id nitro-workflow >/dev/null 2>&1 ||
    useradd --system --no-create-home --shell /sbin/nologin nitro-workflow
mkdir -p "$FOLDER/state"
rm -f "$FOLDER/control.sock" "$FOLDER/proxy.log" "$FOLDER/status.json"
printf "allowlist:\n- {address: '%s', port: %d}\n" "$KMS_HOST" "$KMS_PORT" \
    >"$FOLDER/vsock-proxy.yaml"
touch "$FOLDER/instance.log"
chown -R nitro-workflow: "$FOLDER"
chmod 750 "$FOLDER"

begin parent
systemctl stop nitro-workflow-parent.service 2>/dev/null || true
systemd-run --quiet --collect --unit=nitro-workflow-parent \
    --property=User=nitro-workflow --property="WorkingDirectory=$FOLDER" \
    --property=NoNewPrivileges=yes --property=PrivateTmp=yes \
    --property=ProtectSystem=strict --property="ReadWritePaths=$FOLDER" \
    --property="StandardOutput=append:$FOLDER/instance.log" \
    --property="StandardError=append:$FOLDER/instance.log" \
    "${settings[@]/#/--setenv=}" \
    -- python3.12 -sP -m nitro_workflow.host.instance.first_process "$PROGRAMS"

begin ready
for _ in $(seq 120); do
    if [ -S "$FOLDER/control.sock" ] && grep -q -- '->' "$FOLDER/proxy.log" 2>/dev/null &&
        grep -q '"parent"' "$FOLDER/status.json" 2>/dev/null; then
        mark ready
        exit 0
    fi
    sleep 0.5
done
tail -n 20 "$FOLDER"/*.log
fail "the proxy or the parent application does not run"
