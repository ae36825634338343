"""Small programs for AF_VSOCK and /dev/nsm that know nothing of this project, and what runs them."""

import shutil
import subprocess
import sys
import threading
from pathlib import Path

RUN = """
import sys
from pathlib import Path
from nitro_workflow.host import run_program
sys.exit(run_program(sys.argv[2:], Path(sys.argv[1])))
"""

ECHO = """
import socket, sys
with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as listener:
    listener.bind((socket.VMADDR_CID_ANY, int(sys.argv[1])))
    listener.listen()
    print("listens", flush=True)
    for _ in range(int(sys.argv[2])):
        sock, peer = listener.accept()
        with sock:
            print("peer", *peer, flush=True)
            while data := sock.recv(65536):
                sock.sendall(data)
"""

CALL = """
import socket, sys
with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as sock:
    sock.connect((int(sys.argv[1]), int(sys.argv[2])))
    sock.sendall(b"hello")
    sock.shutdown(socket.SHUT_WR)
    with sock.makefile("rb") as stream:
        print(stream.read().decode(), *sock.getsockname(), *sock.getpeername())
"""

# The device by its calls alone, as a static program without libc's help would: no Python, no library.
NSM = r"""
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/vm_sockets.h>

struct message { const void *request; uint64_t size; void *response; uint64_t room; };

static int describe(const char *who) {
    static const unsigned char request[] = "\x6b""DescribeNSM";
    static unsigned char response[0x3000];
    struct message it = {request, sizeof request - 1, response, sizeof response};
    int device = open("/dev/nsm", O_RDWR);
    if (device < 0 || ioctl(device, 0xC0200A00, &it) != 0) { perror(who); return 1; }
    printf("%s %d %s\n", who, (int)it.room, memmem(response, it.room, "module_id", 9) ? "module" : "?");
    return 0;
}

int main(void) {
    unsigned cid = 0;
    setvbuf(stdout, NULL, _IONBF, 0);
    int device = open("/dev/vsock", O_RDONLY), status;
    if (ioctl(device, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid) != 0) { perror("vsock"); return 1; }
    printf("cid %u\n", cid);
    describe("parent");
    if (fork() == 0) _exit(describe("helper"));
    wait(&status);
    int sock = socket(AF_VSOCK, SOCK_STREAM, 0);
    struct sockaddr_vm to = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST + 1, .svm_port = 7300};
    if (connect(sock, (struct sockaddr *)&to, sizeof to) != 0) { perror("connect"); return 1; }
    dprintf(sock, "from %u, helper %d", cid, WEXITSTATUS(status));
    close(sock);
    printf("done\n");
    return 0;
}
"""


class Parent:
    """Programs on the parent's side of one vsock folder."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self._started = []

    def start(self, *argv):
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(self.folder), *argv],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._started.append(process)
        return process

    def run(self, *argv, seconds=60):
        process = self.start(*argv)
        said, errors = process.communicate(timeout=seconds)
        return process.returncode, said.strip(), errors.strip()

    def python(self, code, *arguments, seconds=60):
        return self.run(sys.executable, "-c", code, *map(str, arguments), seconds=seconds)

    def listen(self, code, *arguments):
        """Start a Python program and return it once it has said ``listens``."""
        process = self.start(sys.executable, "-c", code, *map(str, arguments))
        timer = threading.Timer(60, process.kill)
        timer.start()
        line = process.stdout.readline()
        timer.cancel()
        assert line == "listens\n", (line, process.stderr.read())
        return process

    def close(self):
        for process in self._started:
            process.kill()
            process.communicate()


def compiler():
    return shutil.which("cc") or shutil.which("gcc")


def build(source: str, target: Path, *options: str) -> Path:
    """Compile C, without anything of this project."""
    code = target.with_suffix(".c")
    code.write_text(source)
    subprocess.run(
        [compiler(), "-O1", "-D_GNU_SOURCE", *options, "-o", str(target), str(code)],
        check=True, capture_output=True,
    )  # fmt: skip
    return target
