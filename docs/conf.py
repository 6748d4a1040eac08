"""The site of these pages, as `make docs` builds it: nothing is fetched, and a warning is an error."""

import sys
from pathlib import Path

import recsys

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "recsys-pipeline"
version = release = recsys.__version__
html_title = project
html_theme = "furo"
html_show_sphinx = html_show_copyright = html_copy_source = html_show_sourcelink = False

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "generated"]
exclude_patterns = ["extensions"]

highlight_language = "text"
smartquotes_action = "D"  # dashes, and no other quotes than were written

# Headings are linked to as on GitHub.
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
