"""Boxes and tables shown in notebooks."""

import pytest

from nbsrc.claims import chapter_table
from nbsrc.claims.display import check_box


def test_the_box_has_the_anchor_and_the_words(tested_row, record):
    row = tested_row("fails", correction="Say $y$.", note="Only then.")
    html = check_box(row, record(), ["something disagrees <here>"])
    assert 'id="check-A.one"' in html
    assert "fails as printed" in html
    assert "<strong>Correction.</strong> Say " in html
    assert "<strong>Note.</strong> Only then." in html
    assert "<li>something disagrees &lt;here&gt;</li>" in html
    assert 'href="../ledger_A.html#A.one"' in html


def test_a_reader_without_a_book_gets_no_dead_link(tested_row, record):
    html = check_box(tested_row(), record(), [], linked=False)
    assert "href=" not in html
    assert 'role="alert"' not in html


def test_the_chapter_table_lists_the_chapters_rows():
    table = chapter_table("01_layer_norms")
    html = table._repr_html_()
    assert len(table.rows) >= 42
    assert f"<strong>{len(table.rows)} claims</strong>: " in html
    assert "</details>" in html
    for row in table.rows:
        assert row.notebook == "01_layer_norms"
        assert f'href="#check-{row.id}"' in html
    assert html.count("<tr>") == len(table.rows) + 1
    assert "A.thm1.l1" in repr(table)


def test_a_notebook_without_claims_is_an_error():
    with pytest.raises(ValueError, match=r"'00_nothing' has no claims; .*01_layer_norms"):
        chapter_table("00_nothing")
