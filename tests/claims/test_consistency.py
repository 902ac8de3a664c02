"""Every rule of the ledger, each with a planted violation."""

import pytest

from nbsrc.claims.consistency import evidence_problems, ledger_problems

VIOLATED = {"holds": False, "worst_slack": -1.0, "counterexample": {"h": 1}}


@pytest.fixture
def kept(tested_row, record, finding):
    """Return a row and a record that keep every rule, for a verdict."""

    def make(verdict):
        experiment = {"verdict": verdict, "ours": 1.0, "paper": 2.0}
        match verdict:
            case "holds":
                return tested_row(), record()
            case "fails":
                return tested_row(verdict, note="Nothing saves it."), record(
                    literal=finding(**VIOLATED)
                )
            case "holds-with-correction" | "imprecise":
                return tested_row(verdict, correction="Say so."), record(
                    literal=finding(**VIOLATED), corrected=finding()
                )
            case _:
                return tested_row(verdict), record(literal=None, outcome=experiment)

    return make


VERDICTS = ("holds", "holds-with-correction", "imprecise", "fails")
EXPERIMENTS = ("reproduced", "partly-reproduced", "not-reproduced")


@pytest.mark.parametrize("verdict", [*VERDICTS, *EXPERIMENTS])
def test_a_record_that_keeps_the_rules_has_no_problems(kept, verdict):
    assert evidence_problems(*kept(verdict)) == []


def breaks(row, record, words):
    lines = evidence_problems(row, record)
    assert any(words in line for line in lines), lines


@pytest.mark.parametrize("verdict", [*VERDICTS, *EXPERIMENTS])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tolerance": None}, "no tolerance"),
        ({"controls": []}, "no negative control"),
        ({"controls": [{"name": "n", "broke": False, "detail": ""}]}, "'n' did not break"),
    ],
)
def test_every_verdict_needs_a_tolerance_and_controls_that_broke(kept, verdict, change, words):
    row, record = kept(verdict)
    breaks(row, {**record, **change}, words)


def test_one_control_of_two_that_did_not_break_is_enough(kept):
    row, record = kept("holds")
    more = [*record["controls"], {"name": "second", "broke": False, "detail": ""}]
    breaks(row, {**record, "controls": more}, "'second' did not break")


@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_verdict_on_a_statement_needs_a_literal_test(kept, verdict):
    row, record = kept(verdict)
    breaks(row, {**record, "literal": None}, "needs a literal test")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"holds": False}, "does not hold"),
        ({"trials": 0}, "no trials"),
        ({"counterexample": {"h": 1}}, "yet gives a counterexample"),
        ({"counterexample": 0}, "yet gives a counterexample"),
        ({"worst_slack": -1e-9}, "below -1e-10"),
    ],
)
def test_holds_needs_a_clean_literal_test(kept, finding, change, words):
    row, record = kept("holds")
    breaks(row, {**record, "literal": finding(**change)}, words)


@pytest.mark.parametrize("verdict", ["holds-with-correction", "imprecise"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"holds": False}, "does not hold"),
        ({"trials": 0}, "no trials"),
        ({"counterexample": "h"}, "yet gives a counterexample"),
        ({"worst_slack": -1.0}, "below -1e-10"),
    ],
)
def test_a_correction_needs_a_clean_corrected_test(kept, finding, verdict, change, words):
    row, record = kept(verdict)
    breaks(row, {**record, "corrected": finding(**change)}, words)


@pytest.mark.parametrize("verdict", ["holds-with-correction", "imprecise"])
def test_a_correction_must_be_tested_and_stated(kept, tested_row, verdict):
    row, record = kept(verdict)
    breaks(row, {**record, "corrected": None}, "needs a corrected test")
    breaks(tested_row(verdict), record, "needs a 'correction'")


@pytest.mark.parametrize("verdict", ["holds-with-correction", "imprecise", "fails"])
def test_a_negative_verdict_needs_a_counterexample(kept, finding, verdict):
    row, record = kept(verdict)
    breaks(row, {**record, "literal": finding()}, "the literal test holds")
    breaks(row, {**record, "literal": finding(holds=False)}, "gives no counterexample")


def test_a_failed_claim_says_why_nothing_saves_it(kept, tested_row):
    _, record = kept("fails")
    breaks(tested_row("fails"), record, "needs a 'correction' or a 'note'")
    assert evidence_problems(tested_row("fails", correction="Say $x$."), record) == []


@pytest.mark.parametrize("verdict", EXPERIMENTS)
def test_an_experiment_needs_an_equal_outcome_with_both_numbers(kept, verdict):
    row, record = kept(verdict)
    outcome = record["outcome"]
    other = next(name for name in EXPERIMENTS if name != verdict)
    breaks(row, {**record, "outcome": None}, "needs an outcome")
    breaks(row, {**record, "outcome": {**outcome, "verdict": other}}, "but the verdict is")
    for side in ("ours", "paper"):
        breaks(row, {**record, "outcome": {**outcome, side: None}}, f"does not give '{side}'")


def test_zero_is_a_number_and_not_a_missing_one(kept):
    row, record = kept("reproduced")
    outcome = {**record["outcome"], "ours": 0, "paper": 0.0}
    assert evidence_problems(row, {**record, "outcome": outcome}) == []


def test_a_row_that_is_not_tested_has_no_evidence(tested_row, record):
    row = tested_row("not-tested", notebook=None, reason="Later.")
    breaks(row, record(), "the verdict is 'not-tested'")


def evidence(notebook, *records):
    return {"notebook": notebook, "checks": {r["id"]: r for r in records}}


def test_a_ledger_that_keeps_the_rules_has_no_problems(tested_row, record):
    rows = [tested_row(), tested_row("not-tested", "A.two", notebook=None, reason="Later.")]
    assert ledger_problems(rows, [evidence("01_demo", record())]) == []


def test_a_verdict_without_evidence_is_a_problem(tested_row):
    assert ledger_problems([tested_row()], []) == [
        "A.one: the verdict is 'holds', but no notebook gives evidence"
    ]


def test_evidence_for_an_unknown_row_is_a_problem(tested_row, record):
    found = ledger_problems([tested_row()], [evidence("01_demo", record(), record("A.x"))])
    assert found == ["A.x: checked in 01_demo, but not in claims/*.yml"]


def test_evidence_from_another_notebook_is_a_problem(tested_row, record):
    found = ledger_problems([tested_row()], [evidence("02_other", record())])
    assert found == ["A.one: checked in 02_other, the row says 01_demo"]


def test_evidence_from_two_notebooks_is_a_problem(tested_row, record):
    both = [evidence("01_demo", record()), evidence("02_other", record())]
    found = ledger_problems([tested_row()], both)
    assert "A.one: checked in 01_demo and in 02_other" in found


def test_problems_of_a_record_carry_the_id(tested_row, record):
    found = ledger_problems([tested_row()], [evidence("01_demo", record(tolerance=None))])
    assert found == ["A.one: the check states no tolerance"]
