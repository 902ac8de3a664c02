"""Each check of the rendered book finds what it is for, and passes what is right."""

from __future__ import annotations

import json

import pytest

from tests import book_checks as checks
from tests import book_links as links

GOOD = """<!doctype html><html lang="en"><head><title>Page — Book</title></head><body><article>
<h1 id="top">Page</h1><p>Text with <code>{glue:text}`x`</code>
and <span class="math">\\(\\frac12\\)</span>.</p><h2>Part</h2>
<div class="cell_output"><img src="a.svg" alt="A line that rises from one to three."></div>
<a href="#top">up</a></article></body></html>"""


def page(body: str, head: str = "") -> dict[str, object]:
    start = f'<html lang="en"><head><title>T — B</title>{head}</head>'
    text = f"{start}<body><article>{body}</article></body></html>"
    return {"a/p.html": checks.parse(text)}


def test_a_good_page_passes_every_check(tmp_path):
    (tmp_path / "a.svg").write_text("<svg/>")
    pages = {"p.html": checks.parse(GOOD)}
    assert links.broken_links(pages, tmp_path) == []
    assert links.missing_assets(pages, tmp_path) == []
    for check in (
        links.external_loads,
        checks.poor_alternatives,
        checks.tracebacks,
        checks.raw_myst,
        checks.doubled_backslashes,
        checks.unresolved_references,
        checks.poor_structure,
    ):
        assert check(pages) == []


@pytest.mark.parametrize(
    "href",
    [
        "#gone",
        "other.html",
        "../a/p.html#gone",
        "/etc/hosts",
        "../../outside.html",
        "file:///x.html",
        "q.csv",
    ],
)
def test_broken_links_are_found(tmp_path, href):
    assert len(links.broken_links(page(f'<h1>x</h1><a href="{href}">x</a>'), tmp_path)) == 1


@pytest.mark.parametrize(
    "href",
    ["#here", "p.html#here", "p.html", "#", "", "f.csv", "https://example.org", "p.html#caf%C3%A9"],
)
def test_good_links_pass(tmp_path, href):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "f.csv").write_text("x")
    body = f'<h1 id="here">x</h1><p id="café"></p><a href="{href}">x</a>'
    assert links.broken_links(page(body), tmp_path) == []


def test_a_redirection_is_followed(tmp_path):
    pages = page("", '<meta http-equiv="Refresh" content="0; url=gone.html">')
    assert len(links.broken_links(pages, tmp_path)) == 1
    assert checks.poor_structure(pages) == []


@pytest.mark.parametrize(
    ("body", "head"),
    [
        ('<img src="https://example.org/a.png" alt="x">', ""),
        ('<img srcset="a.png 1x, //example.org/b.png 2x" alt="x">', ""),
        ('<iframe src="http://example.org"></iframe>', ""),
        ('<object data="https://example.org/a.svg"></object>', ""),
        ('<p style="background: url(https://example.org/a.png)"></p>', ""),
        ("", '<script src="https://example.org/a.js"></script>'),
        ("", '<script>const A = "https://example.org/lib/index.js"</script>'),
        ("", '<link rel="stylesheet" href="//example.org/a.css">'),
        ("", '<link rel="preconnect" href="https://example.org">'),
        ("", '<style>@import "https://example.org/font.css";</style>'),
    ],
)
def test_external_loads_are_found(body, head):
    assert len(links.external_loads(page(body, head))) == 1


def test_external_loads_of_style_sheets_are_found():
    font = "@font-face{src:url('https://example.org/f.woff2')}"
    sheets = {"a.css": font, "b.css": "a{background:url(b.png)}"}
    assert len(links.external_loads_of_styles(sheets)) == 1


def test_a_missing_asset_is_found(tmp_path):
    pages = page("", '<script src="gone.js?v=1"></script>')
    assert len(links.missing_assets(pages, tmp_path)) == 1


@pytest.mark.parametrize(
    "alt",
    ["", "figure", "_images/0123456789abcdef0123.svg", "Norms against the stride.png", "x" * 40],
)
def test_poor_alternatives_are_found(alt):
    pages = page(f'<figure><img src="a.svg" alt="{alt}"></figure>')
    assert len(checks.poor_alternatives(pages)) == 1


def test_a_picture_without_the_attribute_is_found():
    assert len(checks.poor_alternatives(page('<img src="logo.svg">'))) == 1


@pytest.mark.parametrize(
    "body",
    [
        "<pre>Traceback (most recent call last)</pre>",
        '<div class="output traceback">ValueError</div>',
        '<div class="output stderr">warning</div>',
        "<p>An Exception was encountered at In [4].</p>",
    ],
)
def test_tracebacks_are_found(body):
    assert len(checks.tracebacks(page(body))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "see {prf:ref}`thm`",
        "{glue:text} x",
        ":::",
        "```{note}",
        "$$ x",
        "the norm $x_1$ is",
        r"\frac{1}{2}",
        r"see The \ell_2 norm",
        "(sec-x)=",
        "[the ledger](ledger.md)",
    ],
)
def test_raw_myst_is_found(text):
    assert checks.raw_myst(page(f"<p>{text}</p>"))
    assert checks.raw_myst(page(f"<pre>{text}</pre>")) == []


@pytest.mark.parametrize(
    "formula",
    [r"\\ell_2", r"x \\le y", r"\\sqrt{2}", r"\\mathcal S", r"\max_i \\frac12", r"a\\infty"],
)
def test_doubled_backslashes_are_found(formula):
    pages = page(rf'<span class="math">\({formula}\)</span>')
    assert len(checks.doubled_backslashes(pages)) == 1


@pytest.mark.parametrize(
    "formula",
    [
        r"\ell_2",
        r"a & b \\ c & d",
        r"1\\2",
        r"a \\ \frac12",
        r"a \\[2pt] b",
        r"a\\\ell",
        r"a\\leaf",
        "a \\\\\n\\le b",
    ],
)
def test_line_breaks_in_formulas_pass(formula):
    pages = page(rf'<div class="math">\[{formula}\]</div>')
    assert checks.doubled_backslashes(pages) == []


def test_doubled_backslashes_outside_formulas_are_left_alone():
    assert checks.doubled_backslashes(page(r"<pre>\\ell</pre>")) == []


def test_a_docutils_message_is_found():
    assert checks.raw_myst(page('<span class="problematic">x</span>'))


@pytest.mark.parametrize(
    "body", ["Theorem ??", "undefined label: x", '<span class="xref std std-ref">thm</span>']
)
def test_unresolved_references_are_found(body):
    assert len(checks.unresolved_references(page(f"<p>{body}</p>"))) == 1


def test_a_resolved_reference_passes():
    body = '<a href="#x"><span class="xref std">x</span></a><code class="xref py">Tensor</code>'
    assert checks.unresolved_references(page(body)) == []


TITLE = "<title>T</title>"


@pytest.mark.parametrize(
    ("language", "head", "body", "words"),
    [
        ("", TITLE, "<h1>x</h1>", "language"),
        ("en", "", "<h1>x</h1>", "title"),
        ("en", "<title> — Book</title>", "<h1>x</h1>", "title"),
        ("en", TITLE, "", "first level"),
        ("en", TITLE, "<h1>x</h1><h1>y</h1>", "first level"),
        ("en", TITLE, "<h1>x</h1><h3>y</h3>", "level 3"),
        ("en", TITLE, '<h1 id="a">x</h1><p id="a"></p>', "2 times"),
    ],
)
def test_poor_structure_is_found(language, head, body, words):
    text = f'<html lang="{language}"><head>{head}</head><body>{body}</body></html>'
    problems = checks.poor_structure({"p.html": checks.parse(text)})
    assert len(problems) == 1
    assert words in problems[0]


def test_a_leaked_path_is_found(tmp_path):
    assert checks.leaked_paths(page(f"<p>{tmp_path}/x</p>"), tmp_path)
    assert checks.leaked_paths(page("<p>x</p>"), tmp_path) == []


def test_search_needs_every_word_and_knows_endings():
    terms = {"tap": [0, 1], "class": 0}
    data = {"docnames": ["a", "b"], "terms": terms, "titleterms": {"norm": [1]}}
    index = f"Search.setIndex({json.dumps(data)})"
    assert checks.search(index, "tap classes") == {"a"}
    assert checks.search(index, "taps norms") == {"b"}
    assert checks.search(index, "class norm") == set()
    assert checks.search(index, "absent") == set()
