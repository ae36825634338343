#!/usr/bin/python3
"""Plays AWS's nitro-cli: its JSON, the texts of its errors and its exit statuses, word for word.

Texts: nitro-cli src/common/document_errors.rs (get_detailed_info), src/lib.rs, src/utils.rs;
objects: src/common/json_output.rs; a cascade as its issues 243 and 644 show it. What runs is
written beside this file, in ``state.json``.
"""

import json
import os
import struct
import sys
import time
from pathlib import Path

STATE = Path(__file__).with_name("state.json")
POOL = [1, 3, 5, 7]
INFO = {
    "E19": "File operation failure. Such error appears when the system fails to perform the requested file "
    "operations, such as opening the EIF file when launching an enclave, or seeking to a specific offset in the "
    "EIF file, or writing to the log file.\nFile: '{}', failing operation: '{}'.",
    "E20": "Invalid CPU configuration. User provided `cpu-ids` contains same CPU(s) (CPU(s) {}) multiple times.",
    "E21": "No such CPU available in the pool. User provided `cpu-ids` contains CPU {}, which is not available in "
    "the pool.\nYou can add a specific CPU to the CPU pool by editing the `cpu_pool` value from "
    "'/etc/nitro_enclaves/allocator.yaml' and then enable the nitro-enclaves-allocator.service.",
    "E22": "Insufficient CPUs available in the pool. User provided `cpu-count` is {}, which is more than the "
    "configured CPU pool size.\nYou can increase the CPU pool size by editing the `cpu_count` value from "
    "'/etc/nitro_enclaves/allocator.yaml' and then enable the nitro-enclaves-allocator.service.",
    "E26": "Insufficient memory requested. User provided `memory` is {} MB, but based on the EIF file size, the "
    "minimum memory should be {} MB",
    "E03": "Invalid argument provided: {}",
    "E29": "Ioctl failure. Such error is used as a general ioctl error and appears whenever an ioctl fails. In this "
    "case, the error backtrace provides detailed information on what specifically failed during the ioctl.",
    "E35": "EIF file parsing error. Such errors appear when attempting to fill a memory region with a section of the "
    "EIF file, but reading the entire section fails. This might indicate that the required hugepages are not "
    "available.",
    "E39": "Enclave process connection failure. Such error appears when the enclave manager fails to connect to at "
    "least one enclave process for retrieving the description information.",
    "E11": "Socket error. This is used as an error for catching any other socket operation errors not covered by "
    "previous custom errors.",
    "E44": "Enclave console connection failure. Such error appears when the Nitro CLI process fails to establish a "
    "connection to a running enclave's console.",
    "E58": "Naming error. Such error appears when trying to perform an enclave operation using the enclave name and "
    "the name is invalid.",
}
HELP = "https://docs.aws.amazon.com/enclaves/latest/user/cli-errors.html"
LOG = "/var/log/nitro_enclaves/err2026-11-28T10:00:00.000000000+00:00.log"


def fail(code, *info, status=None):
    say(code, *info)
    sys.exit(int((status or code)[1:]))


def say(code, *info):
    print(
        f"[ {code} ] {INFO[code].format(*info)}\n\nFor more details, please visit {HELP}#{code}\n\n"
        f'If you open a support ticket, please provide the error log found at "{LOG}"',
        file=sys.stderr,
    )


def load():
    return json.loads(STATE.read_text()) if STATE.exists() else []


def save(state):
    """Whole at once: a console looks all the time."""
    draft = STATE.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(state))
    draft.replace(STATE)


def show(value):
    print(json.dumps(value, indent=2))


def options(words):
    """Option → its words, as clap takes ``--name value``, ``--name=value`` and ``--cpu-ids 1 3``."""
    found, name = {}, ""
    for word in words:
        if word.startswith("--"):
            name, sign, value = word[2:].partition("=")
            found[name] = [value] if sign else []
        else:
            found[name].append(word)
    return found


def run(given):
    path, memory = Path(given["eif-path"][0]), int(given["memory"][0])
    state = load()
    if "cpu-ids" in given:
        cpus = [int(it) for it in given["cpu-ids"]]
        twice = sorted({it for it in cpus if cpus.count(it) > 1})
        if twice:
            fail("E20", ", ".join(map(str, twice)))
        for cpu in cpus:
            if cpu not in POOL:
                fail("E21", cpu)
    else:
        count = int(given["cpu-count"][0])
        if count > len(POOL):
            fail("E22", count)
        taken = {cpu for it in state for cpu in it["CPUIDs"]}
        cpus = [it for it in POOL if it not in taken][:count]
        if count % 2 or not count:
            fail("E29")
    cid = int(given.get("enclave-cid", ["0"])[0])
    if cid in (1, 2, 3):
        fail("E03", f"CID {cid} is a well-known CID, not to be used for enclaves")
    print("Start allocating memory...", file=sys.stderr)
    if not path.exists():
        say("E19", path, "Open")  # and then what followed from it
        say("E39")
        fail("E11", status="E39")
    data = path.read_bytes()
    if data[:4] != b".eif":
        say("E35")
        fail("E39")
    least = -(-len(data) // (1 << 20)) * 4
    if memory < least:
        say("E26", memory, least)
        fail("E39", status="E26")
    taken_cids = {it["EnclaveCID"] for it in state}
    names = {it["EnclaveName"] for it in state}
    wanted = given.get("enclave-name", [path.name.removesuffix(".eif")])[0]
    name = next(it for it in [wanted, *(f"{wanted}_{n}" for n in range(1, 9))] if it not in names)
    slot = f"{struct.unpack('>Q', os.urandom(8))[0]:016x}"
    enclave = {
        "EnclaveName": name,
        "EnclaveID": f"i-0123456789abcdef0-enc{slot}",
        "ProcessID": 4242,
        "EnclaveCID": cid or next(it for it in range(16, 99) if it not in taken_cids),
        "NumberOfCPUs": len(cpus),
        "CPUIDs": cpus,
        "MemoryMiB": memory + memory % 2,
    }
    save([*state, {**enclave, "Debug": "debug-mode" in given}])
    ids = enclave["CPUIDs"]
    print(
        f"Started enclave with enclave-cid: {enclave['EnclaveCID']}, memory: {memory} MiB, cpu-ids: {ids}",
        file=sys.stderr,
    )
    show(enclave)


def describe(given):
    shown = []
    for enclave in load():
        debug = enclave.pop("Debug")
        body = {
            **enclave,
            "State": "RUNNING",
            "Flags": "DEBUG_MODE" if debug else "NONE",
            "Measurements": {
                "HashAlgorithm": "Sha384 { ... }",
                **dict.fromkeys(("PCR0", "PCR1", "PCR2"), "0a" * 48),
            },
            "ImageName": "probe",
            "ImageVersion": "1",
        }
        if "metadata" in given:
            body["Metadata"] = {"BuildTime": "2026-01-01T00:00:00+00:00", "BuildTool": "nitro-cli"}
        shown.append(body)
    show(shown)


def find(given):
    for enclave in load():
        if [enclave["EnclaveID"]] == given.get("enclave-id") or [
            enclave["EnclaveName"]
        ] == given.get("enclave-name"):
            return enclave
    if "enclave-name" in given:
        fail("E58")
    fail("E11")  # its socket is not there: enclave_proc_connect_to_single
    return None


def terminate(given):
    gone = find(given)
    save([it for it in load() if it["EnclaveID"] != gone["EnclaveID"]])
    print("Successfully terminated enclave " + gone["EnclaveID"] + ".", file=sys.stderr)
    show({"EnclaveName": gone["EnclaveName"], "EnclaveID": gone["EnclaveID"], "Terminated": True})


def console(given):
    enclave = find(given)
    if not enclave["Debug"]:
        fail("E44")
    print(f"Connecting to the console for enclave {enclave['EnclaveCID']}...", flush=True)
    print("Successfully connected to the console.", flush=True)
    print("[    0.000000] Linux version 6.6.79\nstarted", flush=True)
    while any(it["EnclaveID"] == enclave["EnclaveID"] for it in load()):
        time.sleep(0.05)


COMMANDS = {
    "run-enclave": run,
    "describe-enclaves": describe,
    "terminate-enclave": terminate,
    "console": console,
}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](options(sys.argv[2:]))
