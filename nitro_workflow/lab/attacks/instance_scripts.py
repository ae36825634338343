"""Programs that a hostile parent runs inside the instance. Each prints one JSON object.

They are text, since they run in another interpreter, in another sandbox; they may use what the
instance has: Python, boto3, this package.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "OWN_KMS",
    "REACH_NSM",
    "STOP_OWN_KMS",
    "TAMPERED",
    "THROUGH_PROC",
    "WAIT_FOR_OWN_KMS",
]

_ATTEMPT: Final = """
import ctypes, json, os, socket, sys
given = json.loads(sys.argv[1])
tried = {}
def attempt(name, do):
    try:
        do()
        tried[name] = "open"
    except OSError as error:
        tried[name] = os.strerror(error.errno) if error.errno else type(error).__name__
"""

THROUGH_PROC: Final = (
    _ATTEMPT
    + """
class Span(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
libc = ctypes.CDLL(None, use_errno=True)
def read_memory(pid):
    buffer = ctypes.create_string_buffer(16)
    local = Span(ctypes.cast(buffer, ctypes.c_void_p), 16)
    remote = Span(0x400000, 16)
    if libc.process_vm_readv(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0) < 0:
        raise OSError(ctypes.get_errno(), "process_vm_readv")
for pid in given["pids"]:
    if os.path.exists(f"/proc/{pid}"):
        continue  # a process of the instance has that number here
    attempt("/proc/PID/mem", lambda: open(f"/proc/{pid}/mem", "rb").close())
    attempt("/proc/PID/root", lambda: os.listdir(f"/proc/{pid}/root"))
    attempt("process_vm_readv", lambda: read_memory(pid))
def search():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            if file.read().endswith(b"\\0/app\\0"):
                return
    raise FileNotFoundError(2, "none")
attempt("an enclave among the processes in sight", search)
print(json.dumps(tried))
"""
)

REACH_NSM: Final = (
    _ATTEMPT
    + """
attempt("/dev/nsm", lambda: open("/dev/nsm", "rb").close())
def descriptor():
    with socket.socket(fileno=os.dup(3)) as sock:
        sock.send(b"\\xa1kAttestation\\xa3iuser_data\\xf6enonce\\xf6jpublic_keyC123")
attempt("descriptor 3", descriptor)
def folders():
    for path in given["paths"]:
        os.listdir(os.path.dirname(path))
attempt("the hypervisor's folder", folders)
def hypervisor():
    for path in given["paths"]:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
attempt("the hypervisor's socket", hypervisor)
def packets():
    with open("/proc/net/unix") as file:
        names = [line.split()[-1] for line in file if " 0005 " in line and "/" in line]
    for name in names:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
            sock.connect(name)
            return
    raise FileNotFoundError(2, "none")
attempt("a named socket of packets", packets)
print(json.dumps(tried))
"""
)

OWN_KMS: Final = """
import datetime, json, os, socket, ssl, sys, tempfile, time
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
given = json.loads(sys.argv[1])
key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, given["host"])])
now = datetime.datetime.now(datetime.UTC)
certificate = (
    x509.CertificateBuilder().subject_name(name).issuer_name(name)
    .public_key(key.public_key()).serial_number(1)
    .not_valid_before(now - datetime.timedelta(hours=1))
    .not_valid_after(now + datetime.timedelta(days=1))
    .add_extension(x509.SubjectAlternativeName([x509.DNSName(given["host"])]), False)
    .sign(key, hashes.SHA256())
)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
pem, plain_key = serialization.Encoding.PEM, serialization.NoEncryption()
with tempfile.NamedTemporaryFile() as file:
    file.write(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain_key))
    file.write(certificate.public_bytes(pem))
    file.flush()
    context.load_cert_chain(file.name)
place = "/run/instance/vsock/3/v.sock_8000"
seen = {"connections": 0, "refused": 0, "requests": 0}
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(place + ".own")
    listener.listen(8)
    listener.settimeout(0.2)
    os.rename(place, place + ".real")
    os.rename(place + ".own", place)  # whoever sees it there can connect
    try:
        end = time.monotonic() + given["seconds"]
        while time.monotonic() < end and not os.path.exists("/run/instance/state/enough"):
            try:
                raw, _ = listener.accept()
            except TimeoutError:
                continue
            seen["connections"] += 1
            try:
                raw.settimeout(30)
                with context.wrap_socket(raw, server_side=True) as sock:
                    seen["requests"] += bool(sock.recv(4096))
            except OSError:
                seen["refused"] += 1
    finally:
        os.rename(place + ".real", place)
print(json.dumps(seen))
"""

WAIT_FOR_OWN_KMS: Final = """
import json, os, time
end = time.monotonic() + 60
place = "/run/instance/vsock/3/v.sock_8000"
while time.monotonic() < end and not (os.path.exists(place) and os.path.exists(place + ".real")):
    time.sleep(0.02)
print(json.dumps({"listens": os.path.exists(place) and os.path.exists(place + ".real")}))
"""

STOP_OWN_KMS: Final = """
import json, os, time
mark = "/run/instance/state/enough"
open(mark, "w").close()
end = time.monotonic() + 60
while time.monotonic() < end and os.path.exists("/run/instance/vsock/3/v.sock_8000.real"):
    time.sleep(0.02)
os.unlink(mark)
print(json.dumps({}))
"""

TAMPERED: Final = """
import json, sys, threading, uuid, boto3
from enclave_image import APPLICATION_PORT, Credentials, JobRequest
from nitro_workflow.vsock import open_transport, recv_json, send_json, write_stream
given = json.loads(sys.argv[1])
session = boto3.Session()
body = session.client("s3").get_object(
    Bucket=given["bucket"], Key=given["key"], VersionId=given["version"])["Body"].read()
changed = bytearray(body)
changed[-20] ^= 1
keys = session.get_credentials().get_frozen_credentials()
request = JobRequest(
    job=str(uuid.uuid4()), form="encryption-sdk",
    credentials=Credentials(keys.access_key, keys.secret_key, keys.token),
    nonce=bytes(32), encrypted_key=None, size=len(changed))
import io
with open_transport().connect(given["cid"], APPLICATION_PORT, 10.0) as sock:
    sock.settimeout(60)
    send_json(sock, request.to_json())
    def send():
        try:
            write_stream(sock, io.BytesIO(bytes(changed)))
        except Exception:
            pass
    threading.Thread(target=send, daemon=True).start()
    while True:
        event = recv_json(sock, 1 << 23)
        if event["event"] != "evidence":
            break
event.pop("result", None)
print(json.dumps(event))
"""
