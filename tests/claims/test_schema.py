"""Every rule on the form of a row, each with a row that breaks it."""

import pytest

from nbsrc.claims.schema import VERDICTS, row_problems


def test_a_well_formed_row_has_no_problems(raw_row):
    assert row_problems(raw_row(), 1, "A") == []


@pytest.mark.parametrize("verdict", [v for v in VERDICTS if v != "not-tested"])
def test_every_verdict_has_a_well_formed_row(raw_row, verdict):
    row = raw_row(verdict=verdict, notebook="01_demo", reason=None, correction="Say $x$.")
    assert row_problems(row, 1, "A") == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": "B.one"}, "id: must look like"),
        ({"id": "A one"}, "id: must look like"),
        ({"where": None}, "where: missing"),
        ({"statement": ""}, "statement: must be text"),
        ({"statement": 3}, "statement: must be text"),
        ({"statement": "costs $5"}, "statement: a dollar sign is not closed"),
        ({"colour": "red"}, "colour: unknown key"),
        ({"verdict": "true"}, "verdict: 'true' is not one of"),
        ({"reason": None}, "reason: missing"),
        ({"notebook": "demo"}, "notebook: must be a stem"),
        ({"verdict": "holds", "notebook": "01_demo"}, "reason: only rows that are not tested"),
        ({"verdict": "holds", "reason": None}, "notebook: missing"),
        (
            {"verdict": "holds-with-correction", "notebook": "01_demo", "reason": None},
            "correction: missing",
        ),
        ({"verdict": "imprecise", "notebook": "01_demo", "reason": None}, "correction: missing"),
        ({"verdict": "fails", "notebook": "01_demo", "reason": None}, "note: missing"),
        ({"columns": ["a"]}, "data: missing"),
        ({"columns": "a", "data": [[1]]}, "columns: must be a list"),
        ({"columns": ["a", "b"], "data": [[1, 2], [3]]}, "data[1] has 1 cells"),
        ({"columns": ["a", "b"], "data": {"x": {"y": [1]}}}, "data.x.y has 1 cells"),
    ],
)
def test_a_planted_violation_is_named_with_row_and_key(raw_row, changes, words):
    row = raw_row(**changes)
    lines = row_problems(row, 1, "A")
    assert any(line.startswith(f"{row['id']}: ") and words in line for line in lines), lines


@pytest.mark.parametrize("row", [None, {}, {"id": 3}])
def test_a_row_without_an_id_is_named_by_its_position(row):
    assert row_problems(row, 7, "A") == ["row 7: id: missing or not text"]
