"""A tiny root filesystem with this machine's Python, for enclaves that tests can script."""

import json
import os
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from nitro_workflow.image import BootParts, build_image

ROOT = Path(__file__).parents[2]

MODULES = (
    "nitro_workflow.enclave.nsm_device",
    "nitro_workflow.vsock.frames",
    "nitro_workflow.vsock.transport",
    "nitro_workflow.vsock.trace_lines",
    "nitro_workflow.vsock",
    *("ctypes", "fcntl", "hashlib", "json", "os", "resource", "select", "socket", "stat", "struct"),
    *("subprocess", "threading", "time", "traceback"),
)
_LIST = "import json, sys, {0}; print(json.dumps([getattr(m, '__file__', None) for m in sys.modules.values()]))"


def make_rootfs(target: Path) -> None:
    """Fill ``target`` with the interpreter, its libraries and the modules that tests use."""
    listing = subprocess.run(
        [sys.executable, "-c", _LIST.format(", ".join(MODULES))], capture_output=True, check=True
    )
    files = {Path(it) for it in json.loads(listing.stdout) if it}
    library = Path(os.__file__).resolve().parent
    files |= set((library / "encodings").glob("*.py"))
    # Python 3.13.0's puts another module in its place, whose file alone is listed then.
    files |= set((library / "collections").glob("abc.py"))
    # From 3.14 on, loaded with the first structure.
    files |= set((library / "ctypes").glob("_*.py"))
    binary = Path(sys.executable).resolve()
    _copy(binary, target / "usr/bin/python3")
    for path in files:
        for root in sorted(map(Path, sys.path), key=lambda it: -len(str(it))):
            if str(root) and path.is_relative_to(root):
                place = Path("usr/lib", f"python3.{sys.version_info[1]}", path.relative_to(root))
                _copy(path, target / place)
                break
    shared = [binary, *(path for path in files if path.suffix == ".so")]
    for path in _libraries(shared):
        _copy(path, target / str(path).lstrip("/"))


def build(folder: Path, script: str, *, name: str = "probe", signing=None, boot=None) -> Path:
    """Return an EIF that runs ``script`` with the Python of `make_rootfs`'s folder ``rootfs``."""
    (folder / "rootfs" / "app.py").write_text(script)
    output = folder / f"{name}.eif"
    build_image(
        rootfs=folder / "rootfs",
        command=["/usr/bin/python3", "-S", "/app.py"],
        environment={"PYTHONHOME": "/usr", "PYTHONUNBUFFERED": "1", "GREETING": "measured"},
        output=output,
        name=name,
        version="1",
        boot=boot or BootParts.stand_in(os.uname().machine),
        build_time=datetime(2026, 1, 1, tzinfo=UTC),
        signing=signing,
    )
    return output


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy2(source, target)


def _libraries(paths) -> set[Path]:
    text = subprocess.run(
        ["ldd", *map(str, paths)], capture_output=True, text=True, check=True
    ).stdout
    return {Path(it) for it in re.findall(r"(/\S+\.so\S*) \(0x", text)}
