"""`nitro-workflow image`, as a person and as a program use it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from nitro_workflow.cli import image_ask
from nitro_workflow.cli.image import image
from nitro_workflow.errors import (
    AccessRefused,
    CloudUnavailable,
    ImageError,
    ImageRefused,
    UsageError,
)
from tests.image.conftest import NOW
from tests.image.test_oci import LAYERS, as_tar, docker_files, oci_files
from tests.image.test_signature import _Kms


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767323045")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/app").write_text("#!/bin/sh\n")

    def invoke(*arguments: object, code: int = 0):
        result = CliRunner().invoke(image, [str(a) for a in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    return invoke


def rows(result) -> list[dict]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def build(run, output="a.eif", *more):
    return run("build", "--rootfs", "root", "--command", "/app", "-o", output, *more)


def keys(tmp_path, pairs, curve="P-384"):
    (tmp_path / "c.pem").write_bytes(pairs[curve][0])
    (tmp_path / "k.pem").write_bytes(pairs[curve][1])
    return ("--signing-certificate", "c.pem", "--private-key", "k.pem")


def test_build_says_that_it_does_not_boot(run, tmp_path):
    result = build(run)
    assert "does NOT boot on AWS" in result.stdout
    [built] = rows(build(run, "b.eif", "--json"))
    assert built["Bootable"] is False
    assert built["Measurements"]["PCR0"] in result.stdout
    assert (tmp_path / "a.eif").read_bytes() == (tmp_path / "b.eif").read_bytes()


def test_signed_builds_repeat(run, tmp_path, pairs):
    pair = keys(tmp_path, pairs)
    build(run, "a.eif", *pair)
    build(run, "b.eif", *pair)
    assert (tmp_path / "a.eif").read_bytes() == (tmp_path / "b.eif").read_bytes()
    [verified] = rows(run("verify", "a.eif", "--json", "--at", NOW.isoformat()))
    assert verified["verified"] is True
    run("verify", "a.eif", "--certificate", "c.pem", "--at", NOW.isoformat())
    pcr8 = json.loads(run("pcr", "--signing-certificate", "c.pem").stdout)["PCR8"]
    assert verified["PCR8"] == pcr8
    with pytest.raises(ImageRefused, match="expected PCR8 00"):
        run("verify", "a.eif", "--pcr8", "00" * 48, "--at", NOW.isoformat())
    for junk in ("00", "zz" * 48, "\udcff", "²" * 96):
        with pytest.raises(UsageError, match="96 hex digits"):
            run("verify", "a.eif", "--pcr8", junk, "--at", NOW.isoformat())
    with pytest.raises(ImageRefused):
        run("verify", "a.eif", "--at", "1999-01-01")


def test_sign_in_place_and_elsewhere(run, tmp_path, pairs):
    build(run)
    pair = keys(tmp_path, pairs, "P-521")
    before = (tmp_path / "a.eif").read_bytes()
    run("sign", "a.eif", "-o", "s.eif", *pair)
    assert (tmp_path / "a.eif").read_bytes() == before
    [signed] = rows(run("sign", "a.eif", "--json", *pair))
    assert signed["IsSigned"]
    assert (tmp_path / "a.eif").read_bytes() == (tmp_path / "s.eif").read_bytes()
    for wrong in ((), pair[:2], pair[2:]):
        with pytest.raises(UsageError):
            run("sign", "a.eif", *wrong)


class _Client:
    def __init__(self, region: str, endpoint: str | None) -> None:
        assert (region, endpoint) == ("us-east-1", "https://127.0.0.1:1")

    key = b""

    def sign(self, **parameters):
        return _Kms(type(self).key).sign(**parameters)


ARN = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def test_sign_with_a_kms_key(run, tmp_path, pairs, monkeypatch):
    build(run)
    keys(tmp_path, pairs)
    _Client.key = pairs["P-384"][1]
    monkeypatch.setattr(image_ask, "_Kms", _Client)
    run("sign", "a.eif", "--signing-certificate", "c.pem", "--private-key", ARN,
        "--kms-endpoint", "https://127.0.0.1:1")  # fmt: skip
    run("verify", "a.eif", "--at", NOW.isoformat())


@pytest.mark.extras
def test_a_kms_that_refuses_or_is_not_there(monkeypatch):
    from botocore.exceptions import ClientError, EndpointConnectionError

    class Client:
        error: Exception = EndpointConnectionError(endpoint_url="https://127.0.0.1:1")

        def sign(self, **parameters):
            raise self.error

    monkeypatch.setattr("boto3.client", lambda *a, **k: Client())
    kms = image_ask._Kms("us-east-1", None)
    with pytest.raises(CloudUnavailable):
        kms.sign(KeyId=ARN)
    Client.error = ClientError(
        {"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Sign"
    )
    with pytest.raises(AccessRefused, match="no") as refused:
        kms.sign(KeyId=ARN)
    assert refused.value.code == "AccessDeniedException"


def test_from_a_container_image(run, tmp_path):
    as_tar(tmp_path / "image.tar", docker_files(LAYERS, Cmd=["serve"], Entrypoint=["/init"]))
    result = run("build", "--image", "image.tar", "-o", "a.eif")
    assert "Entrypoint ['/init'] is NOT run" in result.stderr
    assert "linuxkit" in result.stderr
    info = json.loads(run("describe", "a.eif").stdout)
    assert info["ImageName"] == "app"
    assert info["Metadata"]["DockerInfo"]["Config"]["Cmd"] == ["serve"]
    assert info["ImageVersion"] == info["Metadata"]["DockerInfo"]["Id"].partition(":")[2]
    run("extract", "a.eif", "out", "--ramdisk", 1)
    assert (tmp_path / "out/cmd").read_text() == "serve\n"
    joined = run("build", "--image", "image.tar", "-o", "b.eif", "--join-entrypoint")
    assert "Entrypoint and Cmd joined" in joined.stderr
    run("extract", "b.eif", "out2", "--ramdisk", 1)
    assert (tmp_path / "out2/cmd").read_text() == "/init\nserve\n"
    assert (tmp_path / "out2/rootfs/twin").samefile(tmp_path / "out2/rootfs/bin/a")
    as_tar(tmp_path / "oci.tar", oci_files(LAYERS, architecture="arm64"))
    [built] = rows(run("build", "--image", "oci.tar", "-o", "c.eif", "--json", "--env", "X=1"))
    assert built["Architecture"] == "aarch64"
    run("extract", "c.eif", "out3", "--ramdisk", 1)
    assert (tmp_path / "out3/env").read_text() == "PATH=/bin\nA=b=c\nX=1\n"


def test_parts_as_eif_build_takes_them(run, tmp_path):
    for name in ("bzImage", "r0", "r1"):
        (tmp_path / name).write_text(name)
    (tmp_path / "m.json").write_text('{"b": 1, "a": 2}')
    parts = ("--kernel", "bzImage", "--cmdline", "quiet ", "--ramdisk", "r0", "--ramdisk", "r1")
    run("build", *parts, "-o", "a.eif", "--metadata", "m.json", "--build-tool", "eif_build",
        "--build-tool-version", "0.2.1", "--arch", "aarch64", "--build-time", "2026-01-02T03:04:05Z")  # fmt: skip
    info = json.loads(run("describe", "a.eif", "--contents", "--json").stdout)
    assert info["ImageName"] == "bzImage"
    assert info["Metadata"] == {
        "BuildTime": "2026-01-02T03:04:05+00:00", "BuildTool": "eif_build",
        "BuildToolVersion": "0.2.1", "OperatingSystem": "OS", "KernelVersion": "kernel",
        "DockerInfo": None, "a": 2, "b": 1,
    }  # fmt: skip
    assert info["Contents"]["Architecture"] == "aarch64"
    assert info["Contents"]["CommandLine"] == "quiet "
    run("extract", "a.eif", "section", "--section", 4)
    assert (tmp_path / "section").read_text() == "r1"
    for wrong in (parts[2:], parts[:2] + parts[4:], (*parts, "--rootfs", "root")):
        with pytest.raises(UsageError):
            run("build", *wrong, "-o", "b.eif")


def test_boot_parts_by_path(run, tmp_path):
    for name in ("kernel", "init", "nsm"):
        (tmp_path / name).write_text(name)
    paths = ("--kernel", "kernel", "--init", "init", "--nsm", "nsm")
    [built] = rows(build(run, "a.eif", *paths, "--cmdline", " quiet ", "--json"))
    assert built["Bootable"] is True
    assert (
        json.loads(run("describe", "a.eif", "--contents").stdout)["Contents"]["CommandLine"]
        == "quiet"
    )
    with pytest.raises(UsageError, match="--init, --nsm"):
        build(run, "a.eif", *paths[:2])
    with pytest.raises(ImageError, match="bzImage"):
        build(run, "a.eif", "--blobs", "root")


def test_check_and_measure(run, tmp_path):
    build(run)
    result = run("check", "a.eif")
    assert "0 errors" in result.stdout
    data = bytearray((tmp_path / "a.eif").read_bytes())
    data[7] |= 2
    (tmp_path / "b.eif").write_bytes(data)
    found = rows(run("check", "b.eif", "--json", code=1))
    assert [row["rule"] for row in found if row["severity"] == "error"] == ["crc"]
    for command in (["measure", "b.eif"], ["describe", "b.eif"]):
        assert "flags 0x0002: an extension" in run(*command).stderr
    [measured] = rows(run("measure", "a.eif", "--json"))
    assert measured["CRC32"] in run("measure", "a.eif").stdout


def test_measuring_parts(run, tmp_path, pairs):
    for name in ("bzImage", "r0", "r1"):
        (tmp_path / name).write_text(name)
    keys(tmp_path, pairs)
    parts = ("--kernel", "bzImage", "--cmdline", "quiet", "--ramdisk", "r0", "--ramdisk", "r1")
    [measured] = rows(run("measure", *parts, "--json", "--signing-certificate", "c.pem"))
    pair = ("--signing-certificate", "c.pem", "--private-key", "k.pem")
    [built] = rows(run("build", *parts, *pair, "-o", "a.eif", "--json"))
    assert measured == {"Measurements": built["Measurements"]}
    for wrong in ((), ("a.eif", *parts), parts[2:]):
        with pytest.raises(UsageError):
            run("measure", *wrong)


def test_ls_and_diff(run, tmp_path):
    build(run)
    (tmp_path / "root/app").chmod(0o755)
    build(run, "b.eif")
    files = rows(run("ls", "a.eif", "--json", "--digests", "--ramdisk", 1))
    assert {row["path"]: row["mode"] for row in files}["rootfs/app"] == "0644"
    assert "rootfs/app" in run("ls", "a.eif").stdout
    run("diff", "a.eif", "a.eif")
    shown = run("diff", "a.eif", "b.eif", code=1)
    assert "mode 0644 → 0755" in shown.stdout
    [found] = rows(run("diff", "a.eif", "b.eif", "--json", code=1))
    assert found["files"][0]["path"] == "rootfs/app"


def test_a_name_cannot_write_to_the_terminal(run, tmp_path):
    (tmp_path / "root" / "\x1b[31mred").write_text("")
    build(run)
    listed = run("ls", "a.eif").stdout
    assert "\x1b" not in listed
    assert "\\x1b[31mred" in listed


def test_usage(run):
    build(run)
    for arguments in (("extract", "a.eif", "x"), ("pcr",), ("build", "-o", "x"),
                      ("build", "--rootfs", "root", "--image", "x", "-o", "x"),
                      ("verify", "a.eif", "--at", "yesterday")):  # fmt: skip
        with pytest.raises(UsageError):
            run(*arguments)
    for arguments in (("describe", "no"), ("extract", "a.eif", "x", "--section", 9),
                      ("pcr", "--input", "no"), ("pcr", "--signing-certificate", "root/app"),
                      ("build", "--rootfs", "root", "-o", "x"), ("check", "no"),
                      ("build", "--rootfs", "root", "--command", "a", "-o", "no/x")):  # fmt: skip
        with pytest.raises(ImageError):
            run(*arguments)


def test_a_build_time_that_is_not_one(run, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "today")
    with pytest.raises(ImageError, match="SOURCE_DATE_EPOCH"):
        build(run)


def test_exit_codes_of_the_command(tmp_path):
    def code(*arguments: str) -> int:
        command = [sys.executable, "-m", "nitro_workflow.cli", "image", *arguments]
        return subprocess.run(command, capture_output=True, check=False).returncode

    assert code("measure", str(tmp_path / "no")) == 3
    assert code("build", "-o", "x") == 2
    assert code("--help") == 0
