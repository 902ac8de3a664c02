"""Text becomes Markdown that means nothing but itself."""

import pytest
from markdown_it import MarkdownIt

from nbsrc.claims import load_claims
from nbsrc.claims.markdown import escape_markdown, myst


@pytest.mark.parametrize(
    "text",
    ["a*b*c", "x_y_z", "[a](b)", "<b>", "# no", "1. no", "- no", "`c`", "a|b", "{math}`x`", "a\\b"],
)
def test_plain_text_renders_as_itself(text):
    tokens = MarkdownIt().parse(myst(text))
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    children = tokens[1].children
    assert {child.type for child in children} <= {"text", "text_special"}
    assert "".join(child.content for child in children) == text


def test_maths_becomes_a_role():
    assert myst("if $|x_1|\\le 2$, yes") == "if {math}`|x_1|\\le 2`, yes"


def test_every_text_of_the_ledger_keeps_its_maths():
    for paper in load_claims():
        for row in paper.rows:
            for text in (row.statement, row.assumptions, row.reproduce, row.correction or ""):
                assert myst(text).count("{math}`") == text.count("$") // 2, row.id
                assert "`" not in text, row.id  # a grave accent would end the role


def test_escaping_twice_is_not_idempotent_and_says_so():
    assert escape_markdown("*") == "\\*"
    assert escape_markdown("\\*") == "\\\\\\*"
