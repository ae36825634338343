"""Measuring, building and comparing images, against one SHA-384 pass and AWS's eif_build.

    python benchmarks/image.py [--mib 1024] [--rounds 5] [--json]

- *measure*: an image of 1 GiB; wall time as a ratio to hashing the same file once with SHA-384, and
  to the describe of AWS's library. Limits 1.2 and 1.0; resident memory at its peak, limit 100 MB.
  Beside it the same ratio in processor time, halved for two cores: what a machine without other
  work would come to, had hashing no other cost than itself.
- *build*: from a root filesystem of 60 MB; as a ratio to copying the same files and one SHA-384
  pass over them (limit 1.5), and, given the ramdisks, to eif_build (limit 1.0).
- *diff*: two images of 500 MB that differ in one file; seconds, limit 10.
- *unpack*: 80 MB of files; seconds, limit 0.6.

All take turns in one run, and the least disturbed round of each counts: the machine's other
processes slow down whatever they meet. The figures of AWS's tools need cargo; without it they are
left out with a line that says so.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from nitro_workflow.image import (
    BootParts,
    build_from_parts,
    build_image,
    diff_images,
    measure_file,
    open_image,
    unpack_ramdisk,
)
from nitro_workflow.image.build.image_writer import bytes_part, file_part, write_image
from nitro_workflow.image.format.eif import SectionKind
from nitro_workflow.image.format.metadata import BuildInfo, Identity
from nitro_workflow.image.inspect.extract import extract_section

sys.path.insert(0, str(Path(__file__).parents[1]))

MIB = 1024 * 1024
NOW = datetime(2026, 1, 2, tzinfo=UTC)
IDENTITY = Identity("image", "image", BuildInfo("2026-01-02T00:00:00+00:00"))
Row = dict[str, object]


def rounds(
    count: int,
    jobs: dict[str, Callable[[], object]],
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Let the jobs take turns; return the least time of each, in seconds of the clock."""
    best = dict.fromkeys(jobs, float("inf"))
    for _ in range(count):
        for name, job in jobs.items():
            start = clock()
            job()
            best[name] = min(best[name], clock() - start)
    return best


def hash_once(path: Path) -> None:
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha384")


def tools() -> tuple[Path, Path] | None:
    """Return AWS's eif_build and the program over AWS's library, built if need be."""
    from tests.interop.test_eif_build import _make

    if not shutil.which("cargo"):
        return None
    made, trouble = _make()
    return None if trouble else (made.eif_build, made.aws_eif)


def random_file(path: Path, size: int) -> Path:
    block = os.urandom(MIB)
    with path.open("wb") as file:
        for at in range(0, size, MIB):
            file.write(block[: size - at])
    return path


def small_files(folder: Path, size: int, each: int = 16_000) -> Path:
    """Make a root filesystem like a Python runtime: many small files, some big ones."""
    for number in range(size // 2 // each):
        place = folder / f"d{number % 60}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{number}.py").write_bytes(os.urandom(each))
    for number in range(4):
        (folder / f"lib{number}.so").write_bytes(os.urandom(size // 8))
    return folder


def run(*command: object) -> Callable[[], object]:
    def call() -> None:
        subprocess.run([str(c) for c in command], check=True, stdout=subprocess.DEVNULL)

    return call


def peak_memory(path: Path) -> float:
    """Return the peak resident memory of a process that measures the image, in MB."""
    code = (
        "import sys; from nitro_workflow.image import measure_file; measure_file(sys.argv[1]);"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout) * 1024 / 1e6


def measure(folder: Path, mib: int, count: int, peers: tuple[Path, Path] | None) -> list[Row]:
    data = random_file(folder / "data", (mib - 10) * MIB)
    path = folder / "big.eif"
    write_image(
        [
            bytes_part(SectionKind.KERNEL, os.urandom(9 * MIB)),
            bytes_part(SectionKind.CMDLINE, b"quiet"),
            bytes_part(SectionKind.METADATA, IDENTITY.pack()),
            bytes_part(SectionKind.RAMDISK, os.urandom(MIB)),
            file_part(SectionKind.RAMDISK, data),
        ],
        output=path,
        architecture="x86_64",
    )
    data.unlink()
    jobs: dict[str, Callable[[], object]] = {
        "sha384": lambda: hash_once(path),
        "ours": lambda: measure_file(path),
    }
    if peers:
        jobs["aws"] = run(peers[1], "describe", path)
    best = rounds(count, jobs)
    alone = {"sha384": jobs["sha384"], "ours": jobs["ours"]}
    cpu = rounds(count, alone, time.process_time)
    rows: list[Row] = [
        ratio("measure / one SHA-384 pass", best["ours"], best["sha384"], 1.2),
        ratio("  in processor time, on two cores", cpu["ours"] / 2, cpu["sha384"], 1.2),
        {"what": "measure: peak memory", "value": peak_memory(path), "unit": "MB", "limit": 100},
    ]
    if peers:
        rows.insert(1, ratio("measure / AWS's describe", best["ours"], best["aws"], 1.0))
    path.unlink()
    return rows


def build(folder: Path, count: int, peers: tuple[Path, Path] | None) -> list[Row]:
    root = small_files(folder / "root", 60_000_000)
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    copy = folder / "copy"

    def copy_and_hash() -> None:
        digest = hashlib.sha384()
        with copy.open("wb") as out:
            for path in files:
                data = path.read_bytes()
                out.write(data)
                digest.update(data)

    def ours() -> None:
        build_image(
            rootfs=root, command=["/a"], environment={}, output=folder / "a.eif", name="a",
            version="1", boot=BootParts.stand_in("x86_64"), build_time=NOW,
        )  # fmt: skip

    best = rounds(count, {"copy": copy_and_hash, "ours": ours})
    rows = [ratio("build / copying and one SHA-384 pass", best["ours"], best["copy"], 1.5)]
    rows.append(unpack(folder, count))
    if peers:
        rows.append(build_parts(folder, count, peers[0]))
    return rows


def build_parts(folder: Path, count: int, eif_build: Path) -> Row:
    with open_image(folder / "a.eif") as image:
        for index, name in ((0, "kernel"), (3, "first"), (4, "second")):
            extract_section(image, index, folder / name)
    ramdisks = [folder / "first", folder / "second"]
    theirs = [
        eif_build,
        "--kernel",
        folder / "kernel",
        "--cmdline",
        "quiet",
        "--output",
        folder / "b",
    ]
    for path in ramdisks:
        theirs += ["--ramdisk", path]

    def ours() -> None:
        build_from_parts(
            kernel=folder / "kernel", command_line=b"quiet", ramdisks=ramdisks, identity=IDENTITY,
            output=folder / "c", architecture="x86_64",
        )  # fmt: skip

    best = rounds(count, {"ours": ours, "aws": run(*theirs)})
    return ratio("build from parts / eif_build", best["ours"], best["aws"], 1.0)


def unpack(folder: Path, count: int) -> Row:
    small_files(folder / "more", 80_000_000)
    build_image(
        rootfs=folder / "more", command=["/a"], environment={}, output=folder / "u.eif", name="a",
        version="1", boot=BootParts.stand_in("x86_64"), build_time=NOW,
    )  # fmt: skip
    best = float("inf")
    place = Path("/dev/shm") if Path("/dev/shm").is_dir() else folder
    for _ in range(count):
        with (
            tempfile.TemporaryDirectory(dir=place) as target,
            open_image(folder / "u.eif") as image,
        ):
            start = time.perf_counter()
            unpack_ramdisk(image, 1, Path(target) / "t")
            best = min(best, time.perf_counter() - start)
    return {"what": "unpack 80 MB", "value": best, "unit": "s", "limit": 0.6}


def diff(folder: Path, count: int) -> Row:
    root = small_files(folder / "half", 500_000_000, each=100_000)
    paths = []
    for name in ("x.eif", "y.eif"):
        (root / "changed").write_text(name)
        build_image(
            rootfs=root, command=["/a"], environment={}, output=folder / name, name="a",
            version="1", boot=BootParts.stand_in("x86_64"), build_time=NOW,
        )  # fmt: skip
        paths.append(folder / name)
    shutil.rmtree(root)
    best = rounds(count, {"diff": lambda: diff_images(*paths)})
    return {"what": "diff of two 500 MB images", "value": best["diff"], "unit": "s", "limit": 10}


def ratio(what: str, ours: float, other: float, limit: float) -> Row:
    note = f"{ours:.3f} s / {other:.3f} s"
    return {"what": what, "value": ours / other, "unit": "×", "limit": limit, "note": note}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--mib", type=int, default=1024, help="size of the image to measure")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    peers = tools()
    if peers is None:
        print(
            "Not run: AWS's eif_build (cargo, libssl-dev and pkg-config build it)", file=sys.stderr
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = measure(folder, asked.mib, asked.rounds, peers)
        rows += build(folder, asked.rounds, peers)
        rows.append(diff(folder, min(asked.rounds, 3)))
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors", file=sys.stderr)
    for row in rows:
        if asked.json:
            print(json.dumps(row))
        else:
            verdict = "ok" if float(str(row["value"])) <= float(str(row["limit"])) else "OVER"
            note = f"   {row['note']}" if "note" in row else ""
            print(
                f"{row['what']:<40}{float(str(row['value'])):8.2f} {row['unit']:<3}"
                f"limit {row['limit']:<5} {verdict}{note}"
            )


if __name__ == "__main__":
    main()
