"""The book's Sphinx extension: launch buttons from the environment, links to claims."""

from __future__ import annotations

import importlib
import io
from types import ModuleType, SimpleNamespace

import pytest
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.errors import ConfigError

from nbsrc.files import project_root
from tests import book_checks as checks


@pytest.fixture(scope="module")
def extension() -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(project_root() / "book" / "_ext")
        return importlib.import_module("nbsrc_book")


def configured(extension: ModuleType) -> dict[str, object]:
    config = SimpleNamespace(html_theme_options={"repository_url": ""})
    extension.configure_repository(None, config)
    return config.html_theme_options


def test_without_an_address_there_are_no_launch_buttons(extension, monkeypatch):
    monkeypatch.delenv("NBSRC_REPOSITORY_URL", raising=False)
    assert configured(extension) == {}


def test_an_address_adds_launch_buttons(extension, monkeypatch):
    monkeypatch.setenv("NBSRC_REPOSITORY_URL", "https://github.com/owner/name/")
    options = configured(extension)
    assert options["repository_url"] == "https://github.com/owner/name"
    assert set(options["launch_buttons"]) >= {"binderhub_url", "colab_url"}


def test_services_that_cannot_read_the_host_are_left_out(extension, monkeypatch):
    monkeypatch.setenv("NBSRC_REPOSITORY_URL", "https://gitlab.com/owner/name")
    assert "colab_url" not in configured(extension)["launch_buttons"]


@pytest.mark.parametrize(
    "url", ["name", "https://example.org/owner/name", "https://github.com/owner"]
)
def test_a_wrong_address_is_refused(extension, monkeypatch, url):
    monkeypatch.setenv("NBSRC_REPOSITORY_URL", url)
    with pytest.raises(ConfigError, match="NBSRC_REPOSITORY_URL"):
        configured(extension)


def test_contents_of_long_pages_keep_modules_only(extension):
    def contents():
        module, function = nodes.list_item(), nodes.list_item()
        function += addnodes.compact_paragraph("", "f", skip_section_number=True)
        module += addnodes.compact_paragraph("", "module")
        module += nodes.bullet_list("", function)
        return nodes.bullet_list("", module)

    env = SimpleNamespace(tocs={"api/audits_B": contents(), "api/conv": contents()})
    assert extension.thin_contents(None, env) == []
    assert env.tocs["api/audits_B"].astext() == "module"
    assert len(list(env.tocs["api/audits_B"].findall(nodes.bullet_list))) == 1
    assert env.tocs["api/conv"].astext().split() == ["module", "f"]


def test_the_claim_role_links_known_ids_and_warns_of_others(extension, tmp_path):
    source = tmp_path / "book"
    (source / "sub").mkdir(parents=True)
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "A.yml").write_text("claims:\n- id: A.one\n")
    (source / "index.md").write_text("# T\n\n```{toctree}\nsub/page\n```\n")
    (source / "sub" / "page.md").write_text("# P\n\n{claim}`A.one` and {claim}`A.two`\n")
    warnings = io.StringIO()
    app = Sphinx(
        source,
        None,
        tmp_path / "out",
        tmp_path / "trees",
        "html",
        confoverrides={"extensions": ["myst_parser", "nbsrc_book"], "html_theme": "basic"},
        status=None,
        warning=warnings,
    )
    app.build()
    text = (tmp_path / "out" / "sub" / "page.html").read_text(encoding="utf-8")
    link = checks.parse(text).find("a", href="../ledger_A.html#A.one")
    assert link is not None
    assert "unknown claim id 'A.two'" in warnings.getvalue()
    assert "A.one" not in warnings.getvalue()
