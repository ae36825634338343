"""`inspect`: one way in for whatever one has, and the view that shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nitro_workflow.attestation import At, AttestationDocument, Expected
from nitro_workflow.errors import InputError
from nitro_workflow.system_errors import as_package_error
from nitro_workflow.widgets.opened import Ask
from nitro_workflow.widgets.openers import opened
from nitro_workflow.widgets.recognising import (
    MAX_RECOGNISED_BYTES,
    Recognised,
    recognise,
    recognise_value,
)
from nitro_workflow.widgets.view import View

__all__ = ["MAX_FILES", "Views", "found_in", "inspect", "view_of"]

MAX_FILES = 100
"""Files of one folder that are looked at; a folder of more is refused, not cut."""

_LONGEST_PATH = 4096
_LAYOUT = {"oci-layout", "index.json"}


class Views:
    """Several views, one below the other; a sequence of `View`."""

    def __init__(self, views: Sequence[View]) -> None:
        self._views = tuple(views)

    def __len__(self) -> int:
        return len(self._views)

    def __getitem__(self, index: int) -> View:
        return self._views[index]

    def __iter__(self) -> Iterator[View]:
        return iter(self._views)

    def __repr__(self) -> str:
        return "\n\n".join(view.text for view in self._views)

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundles = [view._repr_mimebundle_()[0] for view in self._views]
        html = "\n".join(bundle["text/html"] for bundle in bundles)
        return {"text/plain": repr(self), "text/html": html}, {}


def inspect(
    *things: object,
    at: At | None = None,
    root: bytes | str | Path | None = None,
    expected: Expected | None = None,
) -> View | Views:
    """Show what something is: a path, bytes, text in any encoding, JSON, a boto3 answer, a folder.

    Recognises attestation documents, certificates, EIFs, CMS envelopes, KMS ciphertext blobs,
    Encryption SDK messages, key policies, CloudTrail records, nitro-cli's JSON, NSM messages and
    container images; of unknown bytes it shows the bytes, and what they look like most. ``at`` is
    when to judge certificates: a time, ``"document"`` for a document's own, None for now. ``root``
    is trusted instead of AWS's: DER, PEM, or a path. ``expected`` is what a document is to say.

    Without anything, shows a place to drop files on. Returns one `View`, or `Views` for several
    things or a folder. Raises `InputError` for a file
    that cannot be read and `CertificateError` for a root that is none; never for what is in it.
    """
    trusted = _read(Path(root)).data if isinstance(root, str | Path) else root
    ask = Ask(at, trusted, expected or Expected())
    if not things:
        # Not for who has something to show: a command that prints it pays for every import.
        from nitro_workflow.widgets.drop_zone import DropZone
        from nitro_workflow.widgets.inspectors.drop_model import make_drop

        return View(make_drop(), answers=DropZone(ask).answers)
    views = [view_of(found, ask) for thing in things for found in found_in(thing)]
    return views[0] if len(views) == 1 else Views(views)


def view_of(found: Recognised, ask: Ask) -> View:
    """Return the view of what was recognised."""
    return View.of(opened(found, ask))


def found_in(thing: object) -> list[Recognised]:
    """Return what a thing is; of a folder, what each file in it is. Raises `InputError`."""
    if isinstance(thing, AttestationDocument):
        return [recognise(thing.raw)]
    if isinstance(thing, bytes | bytearray | memoryview):
        return [recognise(bytes(thing))]
    if isinstance(thing, Path):
        return _path(thing)
    if isinstance(thing, str):
        return _path(Path(thing)) if _is_path(thing) else [recognise(_utf8(thing))]
    if isinstance(thing, Mapping) and callable(getattr(thing.get("Body"), "read", None)):
        return [recognise(thing["Body"].read(MAX_RECOGNISED_BYTES), name="Body")]
    return [recognise_value(thing)]


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _is_path(text: str) -> bool:
    """Tell whether a text names something that is there, or looks like nothing else."""
    if not text or len(text) > _LONGEST_PATH or "\n" in text or "\0" in text:
        return False
    try:
        if Path(text).exists():
            return True
    except OSError:
        return False
    # A name with a suffix or a folder, and no text of a known form: say that the file is missing.
    looks = text.startswith(("/", "./", "../", "~")) or Path(text).suffix in _SUFFIXES
    return looks and recognise(_utf8(text)).kind == "bytes"


_SUFFIXES = {".bin", ".cbor", ".cose", ".der", ".eif", ".gz", ".json", ".pem", ".tar", ".txt"}


def _path(path: Path) -> list[Recognised]:
    path = path.expanduser()
    if not path.is_dir():
        return [_read(path)]
    names = sorted(one for one in path.iterdir() if one.is_file() and not one.name.startswith("."))
    if {one.name for one in names} >= _LAYOUT:
        return [
            Recognised(
                "container",
                "a folder with an OCI layout",
                name=str(path),
                file=path,
                path=("a folder",),
            )
        ]
    if not names or len(names) > MAX_FILES:
        raise InputError(
            f"a folder with {len(names)} files",
            expected=f"1 to {MAX_FILES} files",
            where=str(path),
            next="Name the files themselves.",
        )
    return [_read(one) for one in names]


def _read(path: Path) -> Recognised:
    """Return what a file is; of a large one only its beginning is read."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_RECOGNISED_BYTES)
            total = path.stat().st_size
    except (OSError, ValueError) as error:
        said = as_package_error(error)
        if said is None:
            raise
        raise InputError(
            said.found, expected="a file that can be read", where=str(path), next=said.next
        ) from error
    found = recognise(data, name=path.name)
    return replace(found, file=path, total=total if found.data is data else None)
