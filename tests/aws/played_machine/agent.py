"""The first process of a played parent: runs the user data once, then SSM's commands.

``agent.py FOLDER``. A connection on FOLDER/agent.sock brings one JSON line ``{"script", "seconds"}``
and gets ``{"status", "code", "output", "error"}``; who hangs up ends the command. Standard library
only.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

LIMIT = 1 << 20  # bytes of each stream that are kept


def main() -> None:
    """Serve until killed."""
    folder = Path(sys.argv[1])
    Path("/etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    threading.Thread(target=cloud_init, args=(folder,), daemon=True).start()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "agent.sock"))
    listener.listen(16)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def cloud_init(folder: Path) -> None:
    """Run the user data as cloud-init does: a script that begins with ``#!``, once, as root."""
    data = folder / "user-data"
    if not data.read_bytes().startswith(b"#!"):
        return
    script = Path("/var/lib/cloud/instance/scripts/part-001")
    script.parent.mkdir(parents=True)
    script.write_bytes(data.read_bytes())
    script.chmod(0o700)
    with Path("/var/log/cloud-init-output.log").open("ab") as log:
        done = subprocess.run([str(script)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                              cwd="/", check=False)  # fmt: skip
        log.write(f"Cloud-init finished, status {done.returncode}\n".encode())


def serve(connection: socket.socket) -> None:
    """Run one command; nobody is told where the asker has gone."""
    with connection, connection.makefile("rb") as lines:
        line = lines.readline(LIMIT)
        if not line:
            return  # who only looks whether the agent is there
        request = json.loads(line)
        answer = run(str(request["script"]), float(request["seconds"]), connection)
        if answer is not None:
            connection.sendall(json.dumps(answer).encode() + b"\n")


def run(script: str, seconds: float, asker: socket.socket) -> dict[str, object] | None:
    """Run a script by sh, as AWS-RunShellScript does; None where the asker hung up."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as out, \
            tempfile.TemporaryFile() as errors:  # fmt: skip
        path = Path(folder, "_script.sh")
        path.write_text(script)
        process = subprocess.Popen(["/bin/sh", str(path)], stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=errors, cwd="/", start_new_session=True)  # fmt: skip
        ended, (woken, wake) = threading.Event(), socket.socketpair()

        def watch() -> None:
            process.wait()
            ended.set()
            wake.close()

        threading.Thread(target=watch, daemon=True).start()
        ready, _, _ = select.select([woken, asker], [], [], seconds)
        woken.close()
        if not ended.is_set():
            os.killpg(process.pid, signal.SIGKILL)
            ended.wait()
            if ready:
                return None
            return {"status": "TimedOut", "code": process.returncode, **texts(out, errors)}
        status = "Success" if process.returncode == 0 else "Failed"
        return {"status": status, "code": process.returncode, **texts(out, errors)}


def texts(out: object, errors: object) -> dict[str, str]:
    """Return what both files hold."""
    found = {}
    for name, file in (("output", out), ("error", errors)):
        file.seek(0)  # type: ignore[attr-defined]
        found[name] = file.read(LIMIT).decode("utf-8", "replace")  # type: ignore[attr-defined]
    return found


if __name__ == "__main__":
    main()
