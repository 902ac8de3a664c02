"""The pages as Markdown: every row is there, with its anchor, words and links."""

import re

import pytest

from nbsrc.claims import load_claims
from nbsrc.claims.ledger import join
from nbsrc.claims.pages import counts_page, overview_page, paper_page
from nbsrc.claims.rows import Paper
from nbsrc.claims.schema import VERDICTS


@pytest.fixture(scope="module")
def real():
    return join(load_claims(), [])


def small(rows, *records):
    checks = {record["id"]: record for record in records}
    content = {"notebook": "01_demo", "tier": "book", "checks": checks}
    return join([Paper("A", "Title", "Short", tuple(rows))], [content])


@pytest.mark.parametrize("index", range(4))
def test_every_row_has_an_anchor_and_its_statement(real, index):
    paper = real.papers[index]
    page = paper_page(real, paper, {})
    anchors = re.findall(r'<article class="nb-claim [^"]*" id="([^"]+)"', page)
    assert anchors == [row.id for row in paper.rows]
    assert page.count("</article>") == len(paper.rows)
    assert page.count("<details>") == page.count("</details>") == len(paper.rows)
    assert page.count("<div") == page.count("</div>")


def test_a_tested_row_links_to_its_cell_and_shows_its_numbers(tested_row, record):
    row = tested_row("holds", note="See $x$.")
    ledger = small([row], record(measured={"ratio": 2.5}))
    page = paper_page(ledger, ledger.papers[0], {"01_demo": "A <demo>"})
    assert 'href="notebooks/01_demo.html#check-A.one">See the check in “A &lt;demo&gt;”' in page
    assert "at tier book" in page
    assert "10 trials" in page
    assert "2.5" in page
    assert "**Note.** See {math}`x`." in page
    assert "Not tested" not in page


def test_raw_html_blocks_are_not_cut_by_blank_lines(tested_row, record):
    """Inside a raw block a blank line would turn the rest into Markdown."""
    ledger = small([tested_row()], record(measured={"text": "two\n\nlines"}))
    page = paper_page(ledger, ledger.papers[0], {})
    block = next(part for part in page.split("\n\n") if "nb-evidence" in part)
    assert block.startswith("<div>")
    assert block.endswith("</div>")
    assert block.count("<div") == block.count("</div>")


def test_the_overview_counts_every_row(real):
    page = overview_page(real)
    for verdict, words in VERDICTS.items():
        assert f"nb-{verdict}" in page
        assert words in page
    assert "<td>553</td>" in page
    assert 'href="ledger_B.html"' in page


def test_the_overview_lists_what_was_found_wanting(tested_row, record, finding):
    assert "Nothing so far." in overview_page(small([]))
    row = tested_row("imprecise", correction="Read $j$.")
    bad = record(literal=finding(holds=False, counterexample=1), corrected=finding())
    page = overview_page(small([row], bad))
    assert 'href="ledger_A.html#A.one">A.one</a>' in page
    assert "Read <span" in page


def test_the_landing_page_shows_only_verdicts_in_use(tested_row, record):
    page = counts_page(small([tested_row()], record()))
    assert "The ledger holds 1 claims; 1 of them are tested so far." in page
    assert "nb-holds" in page
    assert "nb-fails" not in page
    assert 'href="ledger_A.html#verdict-holds">1</a>' in page


def test_links_to_verdicts_have_targets(real):
    for paper in real.papers:
        page = paper_page(real, paper, {})
        for verdict, count in real.counts(paper).items():
            assert (f'id="verdict-{verdict}"' in page) == (count > 0)
