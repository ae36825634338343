"""nitro-cli's flags, JSON on stdout, E-codes on stderr, exit status = number."""

import json

import pytest
from click.testing import CliRunner

from nitro_workflow.cli import host as module
from nitro_workflow.cli.host import nitro_cli
from nitro_workflow.errors import SandboxUnavailable
from nitro_workflow.host import LaunchRequest
from nitro_workflow.host.rules.ecodes import failure

STARTED = {
    "EnclaveName": "hello", "EnclaveID": "i-0-enc1", "ProcessID": 7, "EnclaveCID": 16,
    "NumberOfCPUs": 2, "CPUIDs": [1, 2], "MemoryMiB": 512,
}  # fmt: skip


class Stub:
    """Remembers what it was asked and answers nitro-cli's objects."""

    def __init__(self):
        self.asked = []
        self.error = None

    def run_enclave(self, request):
        self.asked.append(request)
        if self.error:
            raise self.error
        return STARTED

    def describe_enclaves(self, *, metadata=False):
        return [{**STARTED, "State": "RUNNING", "Flags": "NONE"}]

    def terminate_enclave(self, enclave_id=None, *, enclave_name=None):
        self.asked.append((enclave_id, enclave_name))
        return {"EnclaveName": "hello", "EnclaveID": "i-0-enc1", "Terminated": True}

    def console(self, enclave_id=None, *, enclave_name=None, offset=0):
        text = "line one\nline two\n"[offset : offset + 9]
        return {"text": text, "offset": offset + len(text), "ended": offset >= 9}


@pytest.fixture
def stub(monkeypatch):
    it = Stub()
    monkeypatch.setattr(module, "_host", lambda _: it)
    return it


def call(*arguments):
    return CliRunner().invoke(nitro_cli, [str(it) for it in arguments])


def test_run_enclave(stub, tmp_path):
    done = call(
        "run-enclave", "--eif-path", "a.eif", "--memory", "1G", "--cpu-count", 2, "--debug-mode"
    )
    assert done.exit_code == 0
    assert json.loads(done.stdout) == STARTED
    assert done.stderr == (
        "Start allocating memory...\n"
        "Started enclave with enclave-cid: 16, memory: 512 MiB, cpu-ids: [1, 2]\n"
    )
    assert stub.asked == [LaunchRequest("a.eif", 1024, 2, debug_mode=True)]


def test_run_enclave_from_a_file(stub, tmp_path):
    config = tmp_path / "c.json"
    body = {"eif_path": "a.eif", "memory_mib": 512, "cpu_ids": [1, 3], "enclave_name": "n"}
    config.write_text(json.dumps(body))
    assert call("run-enclave", "--config", config).exit_code == 0
    assert stub.asked == [LaunchRequest("a.eif", 512, enclave_name="n", cpu_ids=(1, 3))]
    assert call("run-enclave", "--config", config, "--memory", "1").exit_code == 2
    wrong = [
        {"cpus": 1},
        {"cpu_ids": "13"},
        {"cpu_ids": [True]},
        {"memory_mib": "1"},
        {"eif_path": 1},
    ]
    for text, status in (("{", 17), ("[]", 17), *((json.dumps(it), 17) for it in wrong)):
        config.write_text(text)
        assert call("run-enclave", "--config", config).exit_code == status
    assert call("run-enclave", "--config", tmp_path / "absent").exit_code == 19


@pytest.mark.parametrize(
    "words", [["--cpu-ids", 1, 3], ["--cpu-ids", 1, "--cpu-ids", 3], ["--cpu-ids=1", 3]]
)
def test_several_ids_follow_one_option_as_nitro_clis_users_write_it(stub, words):
    rest = ["--enclave-name", "n", "--eif-path", "a.eif"]
    assert call("run-enclave", "--memory", 512, *words, *rest).exit_code == 0
    assert stub.asked == [LaunchRequest("a.eif", 512, enclave_name="n", cpu_ids=(1, 3))]


def test_attach_console_follows(stub):
    done = call(
        "run-enclave", "--eif-path", "a", "--memory", 64, "--cpu-ids", 1, "--attach-console"
    )
    assert done.exit_code == 0
    assert done.stdout.endswith("line one\nline two\n")
    assert stub.asked[0].debug_mode is True


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--memory", "1", "--cpu-count", "1"], 2),
        (["--eif-path", "a", "--cpu-count", "1"], 2),
        (["--eif-path", "a", "--memory", "1"], 2),
        (["--eif-path", "a", "--memory", "1", "--cpu-count", "1", "--cpu-ids", "1"], 2),
        (["--eif-path", "a", "--memory", "x", "--cpu-count", "1"], 47),
    ],
)
def test_arguments_that_do_not_fit(stub, arguments, status):
    assert call("run-enclave", *arguments).exit_code == status


def test_an_error_looks_like_nitro_clis(stub):
    stub.error = failure("E26", "Insufficient memory requested.", next="--memory 324")
    done = call("run-enclave", "--eif-path", "a", "--memory", 64, "--cpu-count", 1)
    assert done.exit_code == 26
    assert done.stdout == ""
    assert done.stderr.removeprefix("Start allocating memory...\n") == (
        "[ E26 ] Insufficient memory requested.\n\nFor more details, please visit "
        "https://docs.aws.amazon.com/enclaves/latest/user/cli-errors.html#E26\n\n"
        "Next: --memory 324\n"
    )
    stub.error = SandboxUnavailable("no namespaces", next="sudo sysctl -w …")
    done = call("run-enclave", "--eif-path", "a", "--memory", 64, "--cpu-count", 1)
    assert done.exit_code == 36
    assert "sudo sysctl" in done.stderr


def test_describe_and_terminate(stub):
    assert json.loads(call("describe-enclaves").stdout)[0]["State"] == "RUNNING"
    assert json.loads(call("terminate-enclave", "--enclave-name", "hello").stdout)["Terminated"]
    done = call("terminate-enclave", "--all")
    assert done.exit_code == 0
    assert [it["Terminated"] for it in json.loads(done.stdout)] == [True]
    assert stub.asked == [(None, "hello"), ("i-0-enc1", None)]
    assert call("terminate-enclave").exit_code == 2
    assert call("terminate-enclave", "--all", "--enclave-id", "x").exit_code == 2


def test_console(stub):
    assert call("console", "--enclave-id", "i-0-enc1").stdout == (
        "Connecting to the console for enclave 16...\n"
        "Successfully connected to the console.\nline one\nline two\n"
    )
    assert call("console").exit_code == 2


def test_explain():
    assert call("explain", "--error-code", "e26").stdout.startswith("E26: Insufficient memory")
    assert call("explain", "--error-code", "E99").exit_code == 3


def test_pcr(tmp_path):
    import hashlib

    (tmp_path / "f").write_bytes(b"abc")
    expected = hashlib.sha384(bytes(48) + hashlib.sha384(b"abc").digest()).hexdigest()
    assert json.loads(call("pcr", "--input", tmp_path / "f").stdout) == {"PCR": expected}
    assert call("pcr").exit_code == 2
    assert call("pcr", "--input", tmp_path / "absent").exit_code == 19
    assert call("pcr", "--signing-certificate", tmp_path / "f").exit_code == 35


def test_describe_eif(workshop, eif):
    done = call("describe-eif", "--eif-path", eif)
    body = json.loads(done.stdout)
    assert body["CheckCRC"] is True
    assert body["ImageName"] == "probe"
    broken = workshop / "broken.eif"
    broken.write_bytes(eif.read_bytes()[:1000])
    assert call("describe-eif", "--eif-path", broken).exit_code == 35


def test_sign_eif(workshop, eif, tmp_path):
    import shutil
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP384R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "developer")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA384())
    )  # fmt: skip
    pem = serialization.Encoding.PEM
    (tmp_path / "c.pem").write_bytes(certificate.public_bytes(pem))
    (tmp_path / "k.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    path = shutil.copy(eif, tmp_path / "s.eif")
    options = ["--eif-path", path, "--signing-certificate", tmp_path / "c.pem", "--private-key"]
    body = json.loads(call("sign-eif", *options, tmp_path / "k.pem").stdout)
    pcr8 = json.loads(call("pcr", "--signing-certificate", tmp_path / "c.pem").stdout)["PCR8"]
    assert body["Measurements"]["PCR8"] == pcr8
    assert call("sign-eif", *options, tmp_path / "absent").exit_code == 19
    assert call("sign-eif", *options, tmp_path / "c.pem").exit_code == 60
    assert call("sign-eif", *options, "arn:aws:kms:us-east-1:111122223333:key/x").exit_code == 60


def test_build_enclave_without_docker(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    options = ["--docker-uri", "hello:v1", "--output-file", tmp_path / "o.eif"]
    done = call("build-enclave", *options)
    assert done.exit_code == 50
    assert "docker-archive:FILE" in done.stderr
    assert call("build-enclave", *options, "--docker-dir", tmp_path).exit_code == 49
    assert call("build-enclave", *options, "--private-key", "k").exit_code == 1
    monkeypatch.setenv("NITRO_CLI_BLOBS", str(tmp_path))
    assert call("build-enclave", *options).exit_code == 52


def test_build_enclave_from_a_docker_archive(tmp_path):
    import hashlib
    import io
    import tarfile

    from nitro_workflow.host.rules.launch_rules import host_architecture

    def tar(files):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as archive:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return data.getvalue()

    layer = tar({"bin/hello": b"#!/bin/sh\n"})
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[host_architecture()]
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": {"Cmd": ["/bin/hello"], "Env": ["A=b"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    text = json.dumps(config).encode()
    name = f"{hashlib.sha256(text).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": ["hello:v1"], "Layers": ["layer.tar"]}]
    files = {name: text, "layer.tar": layer, "manifest.json": json.dumps(manifest).encode()}
    (tmp_path / "image.tar").write_bytes(tar(files))
    options = ["--docker-uri", f"docker-archive:{tmp_path / 'image.tar'}", "--name", "hello"]
    done = call("build-enclave", *options, "--output-file", tmp_path / "o.eif")
    assert done.exit_code == 0, done.output
    built = json.loads(done.stdout)["Measurements"]
    shown = json.loads(call("describe-eif", "--eif-path", tmp_path / "o.eif").stdout)
    assert shown["Measurements"] == built
    assert shown["ImageName"] == "hello"


@pytest.mark.sandbox
def test_against_a_running_hypervisor(host, eif, monkeypatch):
    monkeypatch.setattr(module, "_host", lambda _: host.client)
    done = call(
        "run-enclave", "--eif-path", eif, "--memory", "256", "--cpu-count", 2, "--debug-mode"
    )
    started = json.loads(done.stdout)
    assert (
        call("console", "--enclave-id", started["EnclaveID"], "--disconnect-timeout", 0).exit_code
        == 0
    )
    assert call("terminate-enclave", "--enclave-id", started["EnclaveID"]).exit_code == 0
    assert (
        call("run-enclave", "--eif-path", eif, "--memory", "64", "--cpu-count", 2).exit_code == 26
    )
