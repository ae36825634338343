"""What the site makes of the package before it is read: pages of commands and of rooms, links."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from nitro_site import made_tables
from nitro_site.api_pages import api_pages
from nitro_site.command_pages import command_pages
from nitro_site.public_names import shown

MADE = Path("docs", "reference", "made")


def write_pages(app: Sphinx) -> None:
    """Write the made pages where they differ; remove those of what is no more."""
    pages = {f"commands/{name}.md": text for name, text in command_pages().items()}
    pages |= {f"api/{name}.rst": text for name, text in api_pages().items()}
    folder = Path(app.srcdir, MADE)
    for old in folder.rglob("*.*"):
        if old.relative_to(folder).as_posix() not in pages:
            old.unlink()
    for name, text in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text + "\n":
            path.write_text(text + "\n")


def find_public_name(app: Sphinx, env: Any, node: Any, contnode: nodes.Element) -> Any:
    """Link a name as it is written in code to the room that shows it; leave others as they are.

    Annotations name the module in which a class is written, and names of other libraries.
    """
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"].lstrip(".")
    module, _, name = target.rpartition(".")
    found = shown().get((module, name)) or _by_its_name_alone(name)
    python = env.get_domain("py")
    if found and found.path != target and found.path in python.objects:
        return python.resolve_xref(
            env, node["refdoc"], app.builder, "obj", found.path, node, contnode
        )
    return contnode


def _by_its_name_alone(name: str) -> Any:
    found = [public for public in shown().values() if public.name == name]
    return found[0] if len(found) == 1 else None


def skip_field_numbers(
    _app: Sphinx, _what: str, _name: str, value: object, skip: bool | None, _options: object
) -> bool | None:
    """Leave out what `NamedTuple` says of each field: its number."""
    return True if str(value.__doc__).startswith("Alias for field number") else skip


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect all of it."""
    made_tables.setup(app)
    app.connect("builder-inited", write_pages)
    app.connect("missing-reference", find_public_name)
    app.connect("autodoc-skip-member", skip_field_numbers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
