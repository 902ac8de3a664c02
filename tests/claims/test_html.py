"""Small pieces of HTML: escaping, maths, numbers, words beside colours."""

import pytest

from nbsrc.claims.html import badge, breakable, evidence_html, number, text_html, value_html
from nbsrc.claims.schema import VERDICTS


def test_text_is_escaped_and_maths_is_left_to_mathjax():
    html = text_html("if $a<b$ & <b>")
    assert html.startswith("if <span class=")
    assert r"\(a&lt;b\)</span> &amp; &lt;b&gt;" in html


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4210, "4,210"),
        (0, "0"),
        (-0.0, "0"),
        (-3.1e-13, "-3.1e-13"),
        (0.25, "0.25"),
        (12000.0, "12,000"),
        (8100.0, "8,100"),
    ],
)
def test_numbers_are_short(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "yes"),
        ({"h_in": 2, "w": [1, 2]}, "h in = 2; w = [1, 2]"),
        ("a<b", "a&lt;b"),
        (list(range(30)), "(30 values)"),
    ],
)
def test_values_are_one_line(value, text):
    assert text in value_html(value)
    assert "\n" not in value_html(value)


def test_nested_values_keep_their_structure():
    nested = {"twins": {"cells": 16, "by net": {"a": 1, "b": 2}}, "none left": {}, "runs": 3}
    assert (
        value_html(nested) == "twins: cells = 16, by net = (a = 1, b = 2); none left = (); runs = 3"
    )
    assert value_html([{"a": 1, "b": None}, {"a": 2}]) == "[(a = 1, b = none), (a = 2)]"


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_badge_says_its_verdict_in_words(verdict):
    assert VERDICTS[verdict] in badge(verdict)


def test_an_id_may_break_after_dots_and_underscores():
    assert breakable("A.one_two") == "A.<wbr>one_<wbr>two"


def test_the_evidence_shows_every_part(tested_row, record, finding):
    html = evidence_html(
        tested_row(),
        record(
            literal=finding(holds=False, worst_slack=-0.5, counterexample={"h": 2}, family="fam"),
            corrected=finding(trials=4210),
            measured={"largest_error": 1e-12},
            outcome={"verdict": "reproduced", "ours": 1, "paper": {"best": 2}},
            controls=[{"name": "drop", "broke": False, "detail": "why"}],
        ),
    )
    for part in (
        "<strong>violated</strong> in 10 trials, worst slack -0.5, tolerance 1e-10; family: fam",
        "<strong>no violation</strong> in 4,210 trials",
        "h = 2",
        "<em>drop</em> → NOT rejected (why)",
        "<dt>Largest error</dt><dd>1e-12</dd>",
        "best = 2",
    ):
        assert part in html, part
