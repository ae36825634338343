"""The site: `make docs` builds it from the whole repository, without network, into build/docs.

The source folder is the repository itself, so that a link from a page to a notebook or from a
notebook to a page is the same here, on a forge and in JupyterLab.
"""

from __future__ import annotations

import sys
from pathlib import Path

SITE = Path(__file__).parent
sys.path.insert(0, str(SITE))

from nitro_workflow.version import __version__  # noqa: E402 - as Sphinx asks for it

project = "nitro-workflow"
author = "the authors of nitro-workflow"
project_copyright = "the authors of nitro-workflow, Apache-2.0"
version = release = __version__

root_doc = "docs/index"
include_patterns = ["docs/**", "notebooks/*"]
# The rest is what holds no page; to name it spares the walk through it.
exclude_patterns = [
    ".*", "**/.ipynb_checkpoints", "benchmarks", "build", "dist", "docs/examples", "docs/site",
    "enclave_image", "fuzz", "labextension", "nitro_workflow", "tests", "tools",
]  # fmt: skip
extensions = [
    "myst_nb", "sphinx.ext.autodoc",
    "nitro_site.made_pages", "nitro_site.diagrams", "nitro_site.word_breaks",
]  # fmt: skip

nb_execution_mode = "off"  # what is shown is what was committed, and what the tests compare
nb_ipywidgets_js: dict[str, object] = {}  # widgets are shown in their static form: nothing to load
nb_merge_streams = True
smartquotes = False  # it would write --fail-on with a dash
suppress_warnings = ["misc.highlighting_failure"]  # a card's “none” where a statement would be
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

nitpicky = True
default_role = "py:obj"  # in docstrings; what is no public name stays a name in the code font
add_module_names = False
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"

html_theme = "pydata_sphinx_theme"
html_title = "nitro-workflow"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_extra_path = ["root"]
html_copy_source = False
html_show_sphinx = False
html_context = {"default_mode": "auto"}
html_sidebars = {"docs/index": []}
html_theme_options = {
    "logo": {"text": "nitro-workflow"},
    "header_links_before_dropdown": 6,
    "navbar_end": ["theme-switcher"],
    "navbar_persistent": ["search-button"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_toc_level": 2,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    # Without a second list beside it, a wide table has all the width that it needs.
    "secondary_sidebar_items": {
        "**": ["page-toc"], "docs/index": [], "docs/attestation-pack": [], "docs/clients": [],
    },
}  # fmt: skip
