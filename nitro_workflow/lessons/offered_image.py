"""An image that is not what it is said to be, and a way to see what an image really does.

Python runs the compiled file beside a source where its header says that nobody is to compare the
two (PEP 552, an unchecked hash): so a betrayal needs no line of source.
"""

from __future__ import annotations

import json
import marshal
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from nitro_workflow.errors import LabError
from nitro_workflow.image import build_image, open_image, ramdisk_entries
from nitro_workflow.lab import Workbench, build_inputs
from nitro_workflow.widgets import Head, PlainModel, View

__all__ = ["BETRAYS", "DECOY", "EXECUTED", "build_changed", "make_offered", "try_application"]

QUERY: Final = "app/enclave_image/inside/query.py"
EXECUTED: Final = f"app/enclave_image/inside/__pycache__/query.{sys.implementation.cache_tag}.pyc"
"""What of `QUERY` is executed."""
BETRAYS: Final = f"rootfs/{EXECUTED}"
"""The file of the offered image that betrays, as its ramdisk names it."""
DECOY: Final = "rootfs/app/enclave_image/inside/sealed_result.py"
"""A source that is another one, and that nobody executes."""

_GENUINE: Final = "count >= self._threshold"
_BETRAYING: Final = "count >= 1"
_HEADER: Final = 16  # of a .pyc: magic, flags, hash of the source (PEP 552)

ROWS: Final = "region,orders\n" + "north,1\n" * 5 + "south,7\n"
"""Five people in the north, one in the south."""
THRESHOLD: Final = 5

_PROGRAM: Final = """
import json, sys
sys.path.insert(0, sys.argv[1])
from enclave_image.configuration import Query
from enclave_image.inside.query import Aggregator
sums = Aggregator(Query(("region", "orders"), "region", {"orders": "integer"}), int(sys.argv[2]))
sums.feed(sys.argv[3].encode())
answer = sums.finish()
print(json.dumps({"groups": list(answer.groups), "suppressed": answer.suppressed}))
"""


def build_changed(
    bench: Workbench, output: Path, changes: Mapping[str, bytes], **inputs: Any
) -> Mapping[str, str]:
    """Build an image as P6 does, with other bytes in some files; return its PCRs in hex.

    ``changes``: path in the root filesystem → its new content. Raises `LabError` before P5.
    """
    given = build_inputs(bench) | inputs
    with tempfile.TemporaryDirectory(prefix="nitro-") as folder:
        rootfs = Path(folder) / "rootfs"
        shutil.copytree(given["rootfs"], rootfs, symlinks=True)
        for path, content in changes.items():
            (rootfs / path).write_bytes(content)
        built = build_image(**given | {"rootfs": rootfs}, output=output)
    return built.measurements.hex()


def make_offered(bench: Workbench, output: Path) -> Path:
    """Build the image with the back door at ``output``; return that."""
    rootfs: Path = build_inputs(bench)["rootfs"]
    source, executed = (rootfs / QUERY).read_text(), (rootfs / EXECUTED).read_bytes()
    if source.count(_GENUINE) != 1:
        raise LabError(
            "a query that suppresses no groups in the known place",
            expected=_GENUINE,
            where=QUERY,
            next="this lesson is of the lab's own application: open a lab without --app",
        )
    betraying = compile(source.replace(_GENUINE, _BETRAYING), f"/{QUERY}", "exec",
                        dont_inherit=True)  # fmt: skip
    decoy = DECOY.removeprefix("rootfs/")
    changes = {
        EXECUTED: executed[:_HEADER] + marshal.dumps(betraying),
        decoy: (rootfs / decoy).read_bytes() + b"\n# Reviewed.\n",
    }
    build_changed(bench, output, changes, version="1.0.1")
    return output


def try_application(image: Path) -> View:
    """Run the aggregation that is in an image on `ROWS`, in a process of its own; show its answer.

    Raises `LabError` where the image holds no such application.
    """
    with tempfile.TemporaryDirectory(prefix="nitro-") as folder:
        app = _unpacked(image, Path(folder))
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-B", "-c", _PROGRAM, app, str(THRESHOLD), ROWS],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    if done.returncode:
        raise LabError(
            f"a program that ends with {done.returncode}",
            expected="the lab's own application",
            where=f"{image.name}, /app",
            next="give an image of this lesson",
        )
    return _shown(image.name, json.loads(done.stdout))


def _unpacked(image: Path, folder: Path) -> Path:
    """Write the application's own modules, sources and compiled ones, below ``folder``."""
    ours = ("rootfs/app/enclave_image/", "rootfs/app/nitro_workflow/")
    with open_image(image) as opened:
        for entry in ramdisk_entries(opened, 1):
            if entry.kind == "file" and entry.path.startswith(ours) and entry.link_of is None:
                target = folder / entry.path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(b"".join(entry.data()))
    return folder / "rootfs" / "app"


def _shown(name: str, answer: Mapping[str, Any]) -> View:
    sizes = {group["region"]: group["count"] for group in answer["groups"]}
    rows = tuple(
        (region, str(people), "shown" if region in sizes else "suppressed")
        for region, people in (("north", 5), ("south", 1))
    )
    alone = "south" in sizes
    head = Head(
        f"{name}: five rows of the north, one of the south; threshold {THRESHOLD}",
        "A group of one is shown" if alone else "The group of one is suppressed",
        "bad" if alone else "good",
        why="The aggregation of this image ran here, on made-up rows.",
    )
    return View(PlainModel(head, columns=("group", "people", "the answer"), rows=rows))
