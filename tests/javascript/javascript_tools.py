"""TypeScript and axe-core, from npm, built once for each content of their lock."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

from tests.interop.peers import fetched, peer

SOURCE = Path(__file__).parents[1] / "interop" / "javascript_tools"


@contextmanager
def javascript_tools():
    """Yield the folder whose ``node_modules`` has them; raises `Unbuilt` where npm cannot."""
    with peer(SOURCE) as (folder, stale):
        if stale:
            fetched("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
        yield folder
