"""Compiled modules whose bytes depend on their source alone, and name no path of this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from enclave_image.packing.wheels import interpreter
from nitro_workflow.errors import ImageError

__all__ = ["compile_modules", "compiled_path"]

COMPILERS = 2
"""Bare interpreters at a time."""

# marshal writes a shared constant differently from one that nobody else holds. A bare interpreter
# that does nothing else gives the same bytes every time, in any order; this process would not.
_COMPILER = """
import sys, marshal, _imp
root, tag = sys.argv[1], sys.implementation.cache_tag
for line in sys.stdin:
    name = line.rstrip("\\n")
    with open(f"{root}/{name}", "rb") as source:
        data = source.read()
    code = marshal.dumps(compile(data, "/" + name, "exec", dont_inherit=True))
    head, _, tail = name.rpartition("/")
    import os
    os.makedirs(f"{root}/{head}/__pycache__", exist_ok=True)
    stem = tail.removesuffix(".py")
    import importlib.util as util
    # PEP 552: flags 1 = hash-based, not checked
    header = util.MAGIC_NUMBER + (1).to_bytes(4, "little") + util.source_hash(data)
    with open(f"{root}/{head}/__pycache__/{stem}.{tag}.pyc", "wb") as out:
        out.write(header + code)
"""


def compiled_path(module: str) -> str:
    """Return the path of a module's ``.pyc`` (PEP 3147)."""
    path = PurePosixPath(module)
    name = f"{path.stem}.{sys.implementation.cache_tag}.pyc"
    return str(path.parent / "__pycache__" / name)


def compile_modules(folder: Path, modules: Sequence[str]) -> None:
    """Compile modules, given as paths below ``folder``. Raises `ImageError` where one does not."""
    shares = [modules[at::COMPILERS] for at in range(COMPILERS)]
    with ThreadPoolExecutor(COMPILERS) as pool:
        list(pool.map(lambda share: _compile_share(folder, share), shares))


def _compile_share(folder: Path, modules: Sequence[str]) -> None:
    done = subprocess.run(
        [interpreter(), "-I", "-S", "-B", "-c", _COMPILER, folder],
        input="".join(f"{name}\n" for name in modules),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ImageError(
            (done.stderr.strip().splitlines() or ["no reason"])[-1][:300],
            expected="modules that compile",
            where="root filesystem",
            next="see that the packages are those of make lab",
        )
