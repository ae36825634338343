"""The programs of an Amazon Linux parent that a sandbox cannot run, played.

Each does what the user data and the host can see of it, and nothing else: dnf installs nothing
(what it would install is here), systemctl starts no service but sets the pages and CPUs apart that
the allocator's file asks for, modprobe makes the device's file, useradd gives the sandbox's one
user a second name, shutdown notes when, systemd-run starts a process. ``nitro-cli`` is this
package's own, with its exit statuses; its line leads to the stand-in's hypervisor. ``aws`` is the
one call of the CLI that is needed. ``python3.12`` is this machine's interpreter without any of its
installed packages.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

PLAYED = (
    "aws", "dnf", "modprobe", "nitro-cli", "python3.12", "shutdown", "systemctl", "systemd-run",
    "useradd",
)  # fmt: skip
HERE = Path("/run/instance")
SYS = Path("/sys")
ALLOCATOR = Path("/etc/nitro_enclaves/allocator.yaml")


def wrappers(python: str, base: Path) -> dict[str, str]:
    """Return name → text of what stands in /usr/bin."""
    script = "/run/machine/played/programs.py"
    found = {
        name: f'#!/bin/sh\nexec {python} -E -s {script} {name} "$@"\n'
        for name in PLAYED
        if name != "python3.12"
    }
    bare = base / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return {**found, "python3.12": f'#!/bin/sh\nexec {bare} -S "$@"\n'}


def fault(name: str) -> str:
    """Return what a test has ordered of that name; "" for nothing."""
    text = (HERE / "faults").read_text()
    return str(json.loads(text or "{}").get(name, ""))


def dnf(*words: str) -> int:
    """Install nothing: the played programs are there."""
    if fault("dnf"):
        print("Error: Failed to download metadata for repo 'amazonlinux'", file=sys.stderr)
        return 1
    print("Complete!")
    return 0


def modprobe(*words: str) -> int:
    """Make the module's device and parameters."""
    if "nitro_enclaves" not in words or fault("module"):
        print(f"modprobe: FATAL: Module {words[-1]} not found.", file=sys.stderr)
        return 1
    parameters = SYS / "module/nitro_enclaves/parameters"
    parameters.mkdir(parents=True, exist_ok=True)
    (parameters / "ne_cpus").write_text("\n")
    if not os.path.lexists("/dev/nitro_enclaves"):
        Path("/dev/nitro_enclaves").symlink_to("/dev/null")
    return 0


def systemctl(*words: str) -> int:
    """Be the allocator's service; no other is there."""
    if not any("nitro-enclaves-allocator" in word for word in words):
        print(f"Failed to enable unit: Unit file {words[-1]} does not exist.", file=sys.stderr)
        return 1
    if fault("allocator"):
        print("Job for nitro-enclaves-allocator.service failed.", file=sys.stderr)
        return 1
    lines = (line.partition("#")[0].partition(":") for line in ALLOCATOR.read_text().splitlines())
    values = {key.strip(): value.strip() for key, _, value in lines if value.strip()}
    pages = 0 if fault("pages") else -(-int(values["memory_mib"]) // 2)
    folder = SYS / "kernel/mm/hugepages/hugepages-2048kB"
    (folder / "nr_hugepages").write_text(f"{pages}\n")
    cpus = ",".join(str(cpu) for cpu in range(1, 1 + int(values["cpu_count"])))
    (SYS / "module/nitro_enclaves/parameters/ne_cpus").write_text(f"{cpus}\n")
    return 0


def shutdown(*words: str) -> int:
    """Note when the instance ends itself: AWS's side reads it."""
    Path(HERE, "shutdown").write_text(json.dumps(words))
    return 0


def useradd(*words: str) -> int:
    """Give the sandbox's one user another name."""
    with Path("/etc/passwd").open("a") as file:
        file.write(f"{words[-1]}:x:0:0::/:/sbin/nologin\n")
    return 0


def systemd_run(*words: str) -> int:
    """Start a process that nobody waits for."""
    place = words.index("--") if "--" in words else next(
        n for n, word in enumerate(words) if not word.startswith("-")
    )  # fmt: skip
    options, command = words[:place], [word for word in words[place:] if word != "--"]
    environment, properties = dict(os.environ), {}
    for option in options:
        name, _, value = option.partition("=")
        key, _, said = value.partition("=")
        if name == "--setenv":
            environment[key] = said
        elif name == "--property":
            properties[key] = said
    folder = properties.get("WorkingDirectory", "/")
    output = properties.get("StandardOutput", "append:/dev/null").removeprefix("append:")
    with Path(output).open("ab") as log:
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, env=environment,
            start_new_session=True,
        )  # fmt: skip
    return 0


def aws(*words: str) -> int:
    """Get an object, as ``aws s3api get-object --region R --bucket B --key K FILE`` does."""
    import boto3
    import botocore.exceptions

    if words[:2] != ("s3api", "get-object"):
        print(f"played aws: no {' '.join(words[:2])}", file=sys.stderr)
        return 252
    options = dict(zip(words[2::2], words[3::2], strict=False))
    s3 = boto3.client("s3", region_name=options["--region"])
    try:
        body = s3.get_object(Bucket=options["--bucket"], Key=options["--key"])["Body"]
    except botocore.exceptions.ClientError as error:
        print(f"\n{error}", file=sys.stderr)
        return 254
    with Path(words[-1]).open("wb") as file:
        shutil.copyfileobj(body, file)
    return 0


def nitro_cli(*words: str) -> int:
    """Be this package's nitro-cli, for the hypervisor behind this instance."""
    sys.path.insert(0, "/run/machine/package")
    from nitro_workflow.cli import host, run_program
    from nitro_workflow.host import SandboxHost

    host._host = lambda _: SandboxHost(HERE)
    host._mention_the_walks = lambda: None
    run_program(host.nitro_cli)
    return 0


PROGRAMS = {
    "aws": aws, "dnf": dnf, "modprobe": modprobe, "nitro-cli": nitro_cli, "shutdown": shutdown,
    "systemctl": systemctl, "systemd-run": systemd_run, "useradd": useradd,
}  # fmt: skip

if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    sys.exit(PROGRAMS[sys.argv[0]](*sys.argv[1:]))
