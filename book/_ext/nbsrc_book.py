"""Sphinx extension of this book: launch buttons, links to claims, no loads from the web.

Jupyter Book reads a static YAML file. What depends on the environment, or has to be taken away
again, is here.
"""

from __future__ import annotations

import os
from collections import namedtuple
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.errors import ConfigError
from sphinx.util.docutils import SphinxRole

REPOSITORY_VARIABLE = "NBSRC_REPOSITORY_URL"
TUPLE_FIELD = type(namedtuple("Pair", "first second").first)  # a private type of the interpreter
#: Pages of the reference that list many modules.
LONG_PAGES = ("api/audits", "api/tools")
LAUNCH_SERVICES = {
    "notebook_interface": "jupyterlab",
    "binderhub_url": "https://mybinder.org",
    "colab_url": "https://colab.research.google.com",
}


def configure_repository(_app: Sphinx, config: Config) -> None:
    """Add repository and launch buttons when ``NBSRC_REPOSITORY_URL`` is set.

    The page ``notebooks/01_x`` is built from an executed copy in ``book/notebooks``, which is not
    committed. Its source has the same path from the repository's root, so ``path_to_docs`` stays
    empty and every launch link leads to the committed notebook.

    Args:
        _app: The Sphinx application.
        config: Its configuration; ``html_theme_options`` is changed.

    Raises:
        ConfigError: If the variable is set and is not the address of a repository on a known host.
    """
    options = config.html_theme_options
    # An empty address makes the theme's header fail, so the key has to go.
    options.pop("repository_url", None)
    url = os.environ.get(REPOSITORY_VARIABLE, "").strip().rstrip("/")
    if not url:
        return
    hosts = ("https://github.com/", "https://gitlab.com/")
    if not url.startswith(hosts) or len(url.split("/")) != 5:
        expected = " or ".join(f"{host}<owner>/<name>" for host in hosts)
        raise ConfigError(f"{REPOSITORY_VARIABLE}={url!r}: expected {expected}")
    services = dict(LAUNCH_SERVICES)
    if not url.startswith("https://github.com/"):
        del services["colab_url"]
    options.update(repository_url=url, use_repository_button=True, launch_buttons=services)


def drop_thebe(app: Sphinx) -> None:
    """Disconnect sphinx-thebe, which Jupyter Book always loads.

    It writes the address of a script on the web into every page. Readers run notebooks themselves,
    so the book has no live cells. The handler that copies its style sheet stays, because every
    page links the sheet.

    Args:
        app: The Sphinx application.
    """
    for listeners in app.events.listeners.values():
        for listener in list(listeners):
            handler = listener.handler
            from_thebe = handler.__module__.startswith("sphinx_thebe")
            if from_thebe and handler.__name__ != "st_static_path":
                app.disconnect(listener.id)


def skip_tuple_fields(
    _app: Sphinx, _what: str, _name: str, member: object, _skip: bool, _options: object
) -> bool | None:
    """Leave the fields of a named tuple out; its docstring describes them.

    Python gives each the text "Alias for field number ...".

    Args:
        _app: The Sphinx application.
        _what: Kind of the object that is documented.
        _name: Name of the member.
        member: The member.
        _skip: What autodoc would do.
        _options: Options of the directive.

    Returns:
        True to skip the member, None to leave the decision to autodoc.
    """
    return True if isinstance(member, TUPLE_FIELD) else None


def drop_sourceless_modules(_app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Keep modules without a source file out of the index of source pages.

    sphinx.ext.viewcode lists them there, for instance ``builtins`` for a constant that is a dict,
    with a link to a page that it does not write.

    Args:
        _app: The Sphinx application.
        env: The build environment.

    Returns:
        No further pages to write.
    """
    modules = getattr(env, "_viewcode_modules", {})
    for name in [name for name, entry in modules.items() if entry is False]:
        del modules[name]
    return []


def thin_contents(_app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Leave single functions of audits and charts out of the contents; their modules stay.

    Sphinx lists every documented function in the contents, and the theme works through all of them
    for every page it writes: with 1,500 audits that takes longer than everything else.

    Args:
        _app: The Sphinx application.
        env: The build environment.

    Returns:
        No further pages to write.
    """
    for page, contents in env.tocs.items():
        if not page.startswith(LONG_PAGES):
            continue
        for entry in list(contents.findall(nodes.list_item)):
            if entry.parent is not None and entry[0].get("skip_section_number"):
                entry.parent.remove(entry)
        for lists in list(contents.findall(nodes.bullet_list)):
            if not lists.children and lists.parent is not None:
                lists.parent.remove(lists)
    return []


@cache
def claim_ids(folder: Path) -> frozenset[str]:
    """Read the ids of all claims.

    Args:
        folder: The folder that holds one YAML file per paper.

    Returns:
        The ids of every row.
    """
    ids: set[str] = set()
    for path in sorted(folder.glob("*.yml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        ids.update(row["id"] for row in document["claims"])
    return frozenset(ids)


class ClaimRole(SphinxRole):
    """Link to a row of the ledger: ``{claim}`A.thm1.l1```.

    The rows are plain HTML anchors, which MyST cannot see, so the address is computed here and the
    test of the rendered book follows it. An id that no ledger source holds is a warning, which the
    strict build turns into an error.
    """

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Make the link.

        Returns:
            The reference node, and a message when the id is unknown.
        """
        identifier = self.text.strip()
        if identifier not in claim_ids(Path(self.env.srcdir).parent / "claims"):
            message = self.inliner.reporter.warning(
                f"unknown claim id {identifier!r}: no row of claims/*.yml has it", line=self.lineno
            )
            return [nodes.literal(text=identifier)], [message]
        page = f"ledger_{identifier.split('.')[0]}"
        address = self.env.app.builder.get_relative_uri(self.env.docname, page)
        link = nodes.reference(self.rawtext, "", internal=True, refuri=f"{address}#{identifier}")
        link += nodes.literal(text=identifier)
        return [link], []


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the handlers.

    Args:
        app: The Sphinx application.

    Returns:
        The extension's metadata.
    """
    app.setup_extension("sphinx.ext.autodoc")  # makes the event that skip_tuple_fields hears
    # Before the theme reads its options.
    app.connect("config-inited", configure_repository, priority=100)
    app.connect("autodoc-skip-member", skip_tuple_fields)
    app.connect("env-updated", drop_sourceless_modules)
    app.connect("env-updated", thin_contents)
    app.add_role("claim", ClaimRole())
    drop_thebe(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
