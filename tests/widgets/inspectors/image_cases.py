"""Small images with files, and two that differ in one line of one of them."""

from __future__ import annotations

import json

from nitro_workflow.image import SectionKind
from nitro_workflow.image.build.image_writer import bytes_part, write_image
from nitro_workflow.image.ramdisk import RamdiskLayout, file_node, folder_node, symlink_node

IDENTITY = {
    "ImageName": "app", "ImageVersion": "1", "DockerInfo": None, "CustomMetadata": None,
    "BuildMetadata": {"BuildTime": "2026-01-01T00:00:00+00:00", "BuildTool": "test",
                      "BuildToolVersion": "1", "OperatingSystem": "Linux", "KernelVersion": "6"},
}  # fmt: skip
SETTINGS = b"threshold = 5\nname = 'a'\n"
HOSTILE = b"<img src=x onerror=alert(1)>\xe2\x80\xae.py"


def archive(*nodes):
    return b"".join(RamdiskLayout(nodes).pieces())


def application(settings=SETTINGS, many=0):
    names = [b"rootfs", b"rootfs/app", b"rootfs/usr", b"rootfs/usr/lib"]
    nodes = [file_node(b"cmd", b"/app/main\n"), file_node(b"env", b"A=1\n"),
             *map(folder_node, names)]  # fmt: skip
    nodes += [
        file_node(b"rootfs/app/main", b"#!/bin/sh\n", 0o755),
        file_node(b"rootfs/app/settings.toml", settings),
        file_node(b"rootfs/app/" + HOSTILE, b"print()\n"),
        file_node(b"rootfs/usr/lib/blob.so", b"\x7fELF\0" * 4000),
        symlink_node(b"rootfs/usr/lib/link", b"blob.so"),
    ]
    nodes += [file_node(b"rootfs/usr/lib/%05d.py" % at, b"x") for at in range(many)]
    return archive(*nodes)


def write_eif(path, *, settings=SETTINGS, many=0, command_line=b"quiet", app=None):
    parts = [
        (SectionKind.KERNEL, b"kernel bytes" * 4),
        (SectionKind.CMDLINE, command_line),
        (SectionKind.METADATA, json.dumps(IDENTITY).encode()),
        (SectionKind.RAMDISK, archive(file_node(b"init", b"\x7fELF", 0o755))),
        (SectionKind.RAMDISK, application(settings, many) if app is None else app),
    ]
    write_image([bytes_part(*part) for part in parts], output=path, architecture="x86_64")
    return path
