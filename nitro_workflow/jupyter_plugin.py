"""What JupyterLab asks for when a file is opened in the inspector: the page that `--html` writes.

A server extension with one address that is only read. Who may ask, and for which files, is decided
by the server: its login, its authorizer (``read`` of ``contents``), its root folder and its rule on
hidden files. What is in a file is read and judged, and nothing of it is run. The answer is JSON, so
that no browser takes the page for one of the server's own; JupyterLab shows it in a frame without
an origin.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.services.contents.filemanager import FileContentsManager
from jupyter_server.utils import ApiPath, to_os_path, url_path_join
from tornado import web

from nitro_workflow.errors import NitroWorkflowError

__all__ = ["PageHandler"]

ADDRESS = "nitro-workflow/page"
_ONE_AT_A_TIME = asyncio.Lock()  # an image is measured whole: two would only be slower


class PageHandler(APIHandler):
    """Answers ``GET nitro-workflow/page?path=…`` with ``{"page": html}``."""

    auth_resource = "contents"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Send the page of one file below the server's root."""
        path = await self._file(self.get_query_argument("path"))
        async with _ONE_AT_A_TIME:
            try:
                page = await asyncio.to_thread(_page, path)
            except NitroWorkflowError as error:
                raise web.HTTPError(400, str(error).replace("%", "%%")) from error
        self.finish(json.dumps({"page": page}))

    async def _file(self, asked: str) -> Path:
        """Return the path of a file that the server would show; raises 404 for every other."""
        contents = self.contents_manager
        if not isinstance(contents, FileContentsManager):
            raise web.HTTPError(501, "the inspector reads files of this server's own disk only")
        checked = contents.get(asked, type="file", content=False)  # type: ignore[no-untyped-call]
        await ensure_async(checked)
        return Path(to_os_path(ApiPath(asked), contents.root_dir))


def _page(path: Path) -> str:
    # A server that starts has no need of them yet.
    from nitro_workflow.widgets import Ask, found_in, saved_page, view_of

    if not path.is_file():  # a pipe would never end
        raise web.HTTPError(404, "not a file")
    views = [view_of(found, Ask()) for found in found_in(path)]
    return saved_page(views, title=path.name)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    address = url_path_join(server.web_app.settings["base_url"], ADDRESS)
    server.web_app.add_handlers(".*$", [(address, PageHandler)])
