"""Root filesystems from others: a folder, an OCI layout, an archive of docker, a Dockerfile.

>>> from nitro_workflow.image.container import choose_command
>>> choose_command({"Entrypoint": ["/app"], "Cmd": ["serve"]}).command  # nitro-cli's rule
('serve',)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.image.container.container_image import (
        ContainerImage,
        open_container_image,
    )
    from nitro_workflow.image.container.dockerfile import (
        built_dockerfile,
    )
    from nitro_workflow.image.container.entry_command import (
        CommandChoice,
        choose_command,
    )
    from nitro_workflow.image.container.folder_tree import (
        Tree,
        tree_from_folder,
    )

_HOMES = {
    "CommandChoice": "entry_command",
    "ContainerImage": "container_image",
    "Tree": "folder_tree",
    "built_dockerfile": "dockerfile",
    "saved_image": "dockerfile",
    "choose_command": "entry_command",
    "open_container_image": "container_image",
    "tree_from_folder": "folder_tree",
}

__all__ = [
    "CommandChoice",
    "ContainerImage",
    "Tree",
    "built_dockerfile",
    "choose_command",
    "open_container_image",
    "saved_image",
    "tree_from_folder",
]

__getattr__ = lazy_names(__name__, _HOMES)
