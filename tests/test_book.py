"""The rendered book: links, figures, text, structure, search, and nothing from the web.

The tests read ``build/html``. They never skip: without a book they fail and name the command.
"""

from __future__ import annotations

import re

import pytest
import yaml

from nbsrc.files import project_root
from tests import book_checks as checks
from tests import book_links as links

ROOT = project_root()
HTML = ROOT / "build" / "html"
CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def pages() -> checks.Pages:
    if not (HTML / "index.html").is_file():
        pytest.fail(f"no rendered book at {HTML}: run `make book`")
    return checks.load_pages(HTML)


def report(problems: list[str]) -> str:
    shown = "\n".join(problems[:40])
    return f"{len(problems)} problems\n{shown}"


def test_the_book_has_its_pages(pages):
    written = {path.stem for path in (ROOT / "book").glob("*.md")}
    assert CHAPTERS
    assert {f"{stem}.html" for stem in written} <= set(pages)
    assert {f"notebooks/{stem}.html" for stem in CHAPTERS} <= set(pages)


def test_every_module_is_in_the_reference(pages):
    documented = {
        tag["id"].removeprefix("module-")
        for name, page in pages.items()
        if name.startswith("api/")
        for tag in page.find_all(id=re.compile("^module-"))
    }
    files = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / "nbsrc").rglob("*.py")]
    public = {".".join(path.parts) for path in files if not path.name.startswith("_")}
    # nbsrc.conv is documented by the names that the package exports.
    inner = {name for name in public if name.startswith("nbsrc.conv.")}
    # The package's functions of the same names have their places in the reference.
    inner |= {"nbsrc.linear_region.jacobian", "nbsrc.layer_spectra.spectrum"}
    assert not public - inner - documented


def test_every_internal_link_and_anchor_resolves(pages):
    problems = links.broken_links(pages, HTML)
    assert not problems, report(problems)


def test_every_script_style_and_picture_is_there(pages):
    problems = links.missing_assets(pages, HTML)
    assert not problems, report(problems)


def test_nothing_is_loaded_from_the_web(pages):
    sheets = {
        path.relative_to(HTML).as_posix(): path.read_text(encoding="utf-8")
        for path in HTML.rglob("*.css")
    }
    assert sheets
    problems = links.external_loads(pages) + links.external_loads_of_styles(sheets)
    assert not problems, report(problems)


def test_formulas_come_from_the_book_itself(pages):
    assert (HTML / "_static" / "mathjax" / "tex-chtml.js").is_file()
    assert list((HTML / "_static" / "mathjax").rglob("*.woff"))
    for stem in CHAPTERS:
        scripts = pages[f"notebooks/{stem}.html"].find_all("script", src=True)
        assert any("_static/mathjax/" in tag["src"] for tag in scripts)


@pytest.mark.parametrize("stem", CHAPTERS)
def test_chapters_have_figures_with_captions_and_data(pages, stem):
    page = pages[f"notebooks/{stem}.html"]
    drawn = checks.figures(page)
    assert drawn
    framed = [image.find_parent("figure") for image in drawn]
    assert all(figure is not None and figure.find("figcaption") for figure in framed)
    data = [tag["href"] for tag in page.find_all("a", href=True) if tag["href"].endswith(".csv")]
    assert data


def test_every_figure_has_a_telling_text_alternative(pages):
    problems = checks.poor_alternatives(pages)
    assert not problems, report(problems)


def test_no_page_shows_an_error(pages):
    problems = checks.tracebacks(pages)
    assert not problems, report(problems)


def test_no_page_shows_raw_myst(pages):
    problems = checks.raw_myst(pages)
    assert not problems, report(problems)


def test_no_formula_has_doubled_backslashes(pages):
    problems = checks.doubled_backslashes(pages)
    assert not problems, report(problems)


def test_no_reference_is_unresolved(pages):
    problems = checks.unresolved_references(pages)
    assert not problems, report(problems)


def test_every_page_has_language_title_and_headings_in_order(pages):
    problems = checks.poor_structure(pages)
    assert not problems, report(problems)


def test_no_page_names_a_folder_of_this_machine(pages):
    problems = checks.leaked_paths(pages, ROOT)
    assert not problems, report(problems)


def test_search_finds_tap_class(pages):
    index = (HTML / "searchindex.js").read_text(encoding="utf-8")
    assert "notebooks/01_layer_norms" in checks.search(index, "tap class")
    assert not checks.search(index, "tap zxqv")


def test_the_search_index_is_a_script(pages):
    # A browser refuses to fetch JSON from a disk, but it runs a script from there.
    sources = [tag["src"] for tag in pages["search.html"].find_all("script", src=True)]
    assert any(source.split("?")[0].endswith("searchindex.js") for source in sources)


def claim_rows() -> list[dict[str, str]]:
    rows = []
    for path in sorted((ROOT / "claims").glob("*.yml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        rows += [{"paper": path.stem, **row} for row in document["claims"]]
    return rows


def test_every_claim_has_its_row(pages):
    rows = claim_rows()
    assert rows
    page_of = {row["id"]: pages[f"ledger_{row['paper']}.html"] for row in rows}
    assert not [identifier for identifier, page in page_of.items() if not page.find(id=identifier)]


def test_every_tested_row_leads_to_its_check(pages):
    tested = [row for row in claim_rows() if row["verdict"] != "not-tested"]
    assert tested
    problems = []
    for row in tested:
        element = pages[f"ledger_{row['paper']}.html"].find(id=row["id"])
        target = f"notebooks/{row['notebook']}.html#check-{row['id']}"
        if element is None or element.find("a", href=target) is None:
            problems.append(f"{row['id']}: no link to {target}")
    assert not problems, report(problems)


def test_chapters_can_be_downloaded(pages):
    for stem in CHAPTERS:
        addresses = pages[f"notebooks/{stem}.html"].find_all("a", href=True)
        source = f"_sources/notebooks/{stem}.ipynb"
        assert any(tag["href"].endswith(source) for tag in addresses)
