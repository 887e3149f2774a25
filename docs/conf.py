"""The site of these documents. Sphinx reads the whole repository, so that a link between files is the same in both."""

from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.util.nodes import make_refnode

import genoscan

ROOT = Path(__file__).parents[1]

project = "genoscan"
copyright = "genoscan's authors, MIT licence"
version = release = genoscan.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
root_doc = "docs/index"
include_patterns = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md", "docs/*.md", "models/*.md"]
exclude_patterns = [
    one.name for one in ROOT.iterdir() if one.is_dir() and one.name not in ("benchmarks", "docs", "models")
]

myst_heading_anchors = 4

default_role = "py:obj"  # what docstrings have in single backticks
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = "genoscan"
html_static_path = ["site/site.css"]
html_css_files = ["site.css"]
html_extra_path = ["site/index.html"]
html_copy_source = False
html_domain_indices = False
copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True


def _for_readers_of_a_site(_, document):
    """Links as the files have them, but named by the page's title where they are named by its file; a folder, which a
    forge shows, is no page: its name stays as text."""
    for node in list(document.findall(pending_xref)):
        if node["refdomain"] == "doc" and node.astext().endswith(".md"):
            node["refexplicit"] = False
            node[0].clear()
        elif node["reftype"] == "myst" and (Path(document["source"]).parent / node["reftarget"]).is_dir():
            node.replace_self(nodes.inline("", "", *node.children))


def _by_its_own_name(app, env, node, content):
    """What docstrings call by its own name alone, wherever it is defined, if the site has it."""
    if node["reftype"] not in ("obj", "class"):
        return None
    found = [(name, one) for name, one in env.domains["py"].objects.items() if name.split(".")[-1] == node["reftarget"]]
    if len(found) != 1:
        return None
    [(name, one)] = found
    return make_refnode(app.builder, node["refdoc"], one.docname, one.node_id, content, name)


def setup(app):
    app.connect("doctree-read", _for_readers_of_a_site)
    app.connect("missing-reference", _by_its_own_name)
