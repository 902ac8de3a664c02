"""What the book is made from, and when reading it anew is needed."""

import pytest

from nbsrc.building.book import _shaping_key, book_sources


@pytest.fixture
def root(tiny_project):
    for name in ("status.md", "ledger_A.md", "_generated/counts.md", "notebooks/01_one.ipynb"):
        tiny_project.write(f"book/{name}", "made by the build")
    tiny_project.write("book/_static/style.css", "")
    tiny_project.write("book/ledger/status.md", "a written page of the same name")
    return tiny_project.root


def test_written_files_count_and_generated_ones_do_not(root):
    names = [path.relative_to(root).as_posix() for path in book_sources(root)]
    assert names == [
        "_config.yml",
        "book/_static/style.css",
        "book/_toc.yml",
        "book/intro.md",
        "book/ledger/status.md",
    ]


@pytest.mark.parametrize(
    "name",
    ["_config.yml", "book/_toc.yml", "book/new.md", "book/notebooks/02_two.ipynb", "nbsrc/new.py"],
)
def test_what_shapes_every_page_changes_the_key(root, name):
    before = _shaping_key(root)
    (root / name).write_text("x")
    assert _shaping_key(root) != before


def test_the_text_of_a_page_does_not_change_the_key(root, monkeypatch):
    before = _shaping_key(root)
    (root / "book/intro.md").write_text("# Other")
    (root / "nbsrc/helper.py").write_text("VALUE = 3")
    assert _shaping_key(root) == before
    monkeypatch.setenv("NBSRC_REPOSITORY_URL", "somewhere")
    assert _shaping_key(root) != before
