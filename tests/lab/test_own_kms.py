"""The attacker's own KMS stands in the proxy's place once it listens, and leaves that as it was."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from nitro_workflow.lab.attacks.instance_scripts import OWN_KMS

WATCHED = """
import os, socket
listen = socket.socket.listen
def watched(self, *given):
    assert not os.path.exists(self.getsockname().removesuffix(".own") + ".real"), "it is seen first"
    listen(self, *given)
socket.socket.listen = watched
"""


def test_whoever_sees_it_can_connect() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as proxy:
        place = Path(folder) / "vsock" / "3" / "v.sock_8000"
        place.parent.mkdir(parents=True)
        proxy.bind(str(place))
        before = place.stat().st_ino
        script = WATCHED + OWN_KMS.replace("/run/instance", folder)
        given = json.dumps({"host": "kms.us-east-1.nitro-lab.internal", "seconds": 0})
        done = subprocess.run(
            [sys.executable, "-c", script, given], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout) == {"connections": 0, "refused": 0, "requests": 0}
        assert [(one, one.stat().st_ino) for one in place.parent.iterdir()] == [(place, before)]
