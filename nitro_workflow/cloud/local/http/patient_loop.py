"""The event loop, whose TLS connections have a limit on how long they may begin and end.

Uvicorn hands the loop no such limits, and the loop's own are 60 and 30 seconds: so long a client
that sends nothing would hold a descriptor and some 50 KB. Uvloop's where it can be imported.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from nitro_workflow.cloud.local import budgets

if TYPE_CHECKING:
    _Loop = asyncio.SelectorEventLoop
else:
    try:
        from uvloop import Loop as _Loop
    except ImportError:
        _Loop = asyncio.SelectorEventLoop

__all__ = ["PatientLoop"]


class PatientLoop(_Loop):
    """A loop whose servers end what does not come to an end by itself."""

    async def create_server(self, *arguments: Any, **options: Any) -> Any:
        """Listen, with limits on the handshake and the farewell of TLS."""
        if options.get("ssl") is not None:
            options["ssl_handshake_timeout"] = budgets.HANDSHAKE_SECONDS
            options["ssl_shutdown_timeout"] = budgets.SHUTDOWN_SECONDS
        return await super().create_server(*arguments, **options)
