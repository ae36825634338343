"""Which application walks: this package's own, or one that a folder declares.

>>> from enclave_image.applications import application_of
>>> application_of(None).name
'nitro-workflow-application'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from enclave_image.applications.application import Application, CustomerSums, OpenedWork
    from enclave_image.applications.declaration import (
        DECLARATION,
        DeclaredApplication,
        application_of,
        read_declaration,
    )
    from enclave_image.applications.program import ProgramAnswer, ProgramRunner

_HOMES = {
    "Application": "application",
    "CustomerSums": "application",
    "DECLARATION": "declaration",
    "DeclaredApplication": "declaration",
    "OpenedWork": "application",
    "ProgramAnswer": "program",
    "ProgramRunner": "program",
    "application_of": "declaration",
    "read_declaration": "declaration",
}

__all__ = [
    "DECLARATION",
    "Application",
    "CustomerSums",
    "DeclaredApplication",
    "OpenedWork",
    "ProgramAnswer",
    "ProgramRunner",
    "application_of",
    "read_declaration",
]

__getattr__ = lazy_names(__name__, _HOMES)
