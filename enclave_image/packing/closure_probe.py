"""Runs inside a bare interpreter (``-I -S -B``): the application itself, watched.

Started by `closure` as a file, never imported. It lets the real application serve the rehearsal,
then writes down which modules, shared libraries and data files the process came to use.
"""

from __future__ import annotations

import json
import os
import sys
import threading

_opened: set[str] = set()
_run_files: set[str] = set()


def _watch(event: str, args: tuple[object, ...]) -> None:
    if event == "open" and isinstance(args[0], str):
        _opened.add(args[0])
    elif event == "exec":
        _run_files.add(args[0].co_filename)  # type: ignore[attr-defined]  # a code object


class _Hide:
    """Makes packages that the image does not have impossible to import here, too."""

    def __init__(self, names: list[str]) -> None:
        self._names = frozenset(names)

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        if name.partition(".")[0] in self._names:
            raise ModuleNotFoundError(name)


def _loaded_libraries() -> list[str]:
    """Return the paths under which the dynamic loader knows what it loaded (dl_iterate_phdr(3))."""
    import ctypes

    names: list[str] = []

    class Info(ctypes.Structure):
        _fields_ = (("address", ctypes.c_void_p), ("name", ctypes.c_char_p))

    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Info), ctypes.c_size_t, ctypes.c_void_p)

    def visit(info: ctypes._Pointer[Info], _size: int, _data: object) -> int:
        names.append(os.fsdecode(info.contents.name or b""))
        return 0

    ctypes.CDLL(None).dl_iterate_phdr(kind(visit), None)
    return [name for name in names if name.startswith("/")]


def _report(target: str, extra: list[str]) -> None:
    import importlib

    for name in extra:
        importlib.import_module(name)
    modules = {
        module.__file__
        for module in list(sys.modules.values())
        if module is not sys.modules["__main__"] and getattr(module, "__file__", None)
    }
    # One that puts another in its place has no file there any more: collections.abc of 3.13.0.
    modules |= {name for name in _run_files if os.path.isfile(name)}  # noqa: PTH113 - as below
    with open(target, "w", encoding="utf-8") as out:  # noqa: PTH123 - pathlib may not be loaded
        json.dump(
            {
                "modules": sorted(modules),
                "opened": sorted(_opened),
                "libraries": _loaded_libraries(),
            },
            out,
        )


def _run(order: dict[str, object]) -> None:
    import pathlib

    from enclave_image.inside import job_server
    from nitro_workflow import vsock
    from nitro_workflow.enclave import nsm_device

    job_server.CONFIG_FILE = pathlib.Path(str(order["config"]))  # only a rehearsal may
    nsm_device.NSM_DESCRIPTOR = order["nsm"]  # type: ignore[misc,assignment]  # Final: only a rehearsal may
    folder = pathlib.Path(str(order["vsock"]))
    vsock.open_transport = lambda: vsock.GuestTransport(folder)
    threading.Thread(target=job_server.main, daemon=True).start()


def main() -> None:
    """Follow the order given as JSON in the first argument until standard input ends."""
    order = json.loads(sys.argv[1])
    sys.path += order["paths"]
    sys.meta_path.insert(0, _Hide(order["hidden"]))
    sys.addaudithook(_watch)
    _run(order)
    sys.stdin.buffer.read()
    _report(order["report"], order["extra"])
    os._exit(0)


if __name__ == "__main__":
    main()
