"""Definition 2 on the line: what holds, what fails as printed, and planted errors."""

from __future__ import annotations

from fractions import Fraction

import pytest

from nbsrc.audits.robustness import definition
from nbsrc.audits.robustness.line import LineCase, PiecewiseLinear, nearest_labels

F = Fraction
CASES = list(definition.random_line_cases(400, 0))


def case(values: tuple[int, ...], x: Fraction, label: int, classes: int, eps: Fraction) -> LineCase:
    g = PiecewiseLinear(tuple(F(k) for k in range(len(values))), tuple(map(F, values)))
    return LineCase(g, F(x), label, classes, F(eps))


@pytest.mark.parametrize(
    ("example", "printed", "prediction"),
    [
        (case((0,), F(0), 1, 2, F(0)), False, True),  # beyond the first label
        (case((3,), F(0), 2, 2, F(0)), False, True),  # beyond the last
        (case((3,), F(0), 2, 3, F(0)), False, False),  # the same output, but a label is there
        (case((1, 2), F(0), 1, 2, F(1, 2)), False, False),  # a tie at the end of the ball
        (case((1, 2), F(0), 1, 2, F(1, 4)), True, True),
        (case((1, 2), F(1), 1, 2, F(0)), False, False),
    ],
)
def test_worked_out_by_hand(example: LineCase, printed: bool, prediction: bool) -> None:
    assert definition.robust_as_printed(example) is printed
    assert definition.robust_by_prediction(example) is prediction


def test_prediction_is_that_of_the_nearest_label() -> None:
    """Nearest labels change monotonically with the output: the two extremes decide."""
    for x in CASES:
        ends = x.g.range_on(x.x - x.eps, x.x + x.eps)
        right = all(nearest_labels(value, x.classes) == {x.label} for value in ends)
        assert definition.robust_by_prediction(x) == right


def test_cases_have_both_answers_and_ties() -> None:
    assert len(CASES) == 400
    assert list(definition.random_line_cases(400, 0)) == CASES
    assert {definition.robust_as_printed(x) for x in CASES} == {True, False}
    assert any(len(nearest_labels(x.g(x.x), x.classes)) == 2 for x in CASES)


def test_definition_as_printed_and_clipped() -> None:
    found = definition.audit_definition(CASES)
    assert not found.holds
    assert (found.trials, found.worst_slack) == (400, -1)
    assert found.counterexample == {
        "g at its knots": ["0"],
        "x": "0",
        "label": 1,
        "C": 2,
        "eps": "0",
        "as printed": False,
        "by prediction": True,
    }
    assert definition.audit_definition(CASES, clip=True).holds
    assert not definition.audit_definition(CASES, clip=True, centre_only=True).holds
    assert not definition.audit_definition([]).holds


def test_definition_reports_the_smallest() -> None:
    later = [x for x in CASES[1:] if len(x.g.knots) > 1]
    found = definition.audit_definition(later)
    wrong = [x for x in later if not definition.audit_definition([x]).holds]
    least = min(wrong, key=lambda x: (x.classes, len(x.g.knots)))
    assert found.counterexample["g at its knots"] == [str(v) for v in least.g.values]


def test_definition_finds_planted_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(definition, "clipped", lambda g, classes: g)
        assert not definition.audit_definition(CASES, clip=True).holds

    def weak(x: LineCase) -> bool:  # at most one half instead of less than one half
        low, high = x.g.range_on(x.x - x.eps, x.x + x.eps)
        return low >= x.label - F(1, 2) and high <= x.label + F(1, 2)

    with monkeypatch.context() as patch:
        patch.setattr(definition, "robust_as_printed", weak)
        assert not definition.audit_definition(CASES, clip=True).holds


def test_half(monkeypatch: pytest.MonkeyPatch) -> None:
    found = definition.audit_half(strict=False)
    assert not found.holds
    assert found.counterexample == {"C": 2, "output": "3/2", "label": 1}
    assert definition.audit_half(strict=False, classes=1).holds  # no neighbour, no tie
    assert definition.audit_half(strict=True).holds
    assert not definition.audit_half(strict=True, radius=0.75).holds
    assert definition.audit_half(strict=False, radius=0.375).holds
    monkeypatch.setattr(definition, "nearest_labels", lambda value, count: {min(int(value), count)})
    assert not definition.audit_half(strict=True).holds


def test_ball_readings(monkeypatch: pytest.MonkeyPatch) -> None:
    found = definition.audit_ball_readings(inside=True)
    assert not found.holds
    assert found.counterexample == {
        "X": ["0", "1"],
        "labels": [1, 2],
        "eps": "1/2",
        "plateau": "0",
    }
    assert definition.audit_ball_readings(inside=False).holds
    assert not definition.audit_ball_readings(inside=False, radius=F(3, 2)).holds
    monkeypatch.setattr(
        PiecewiseLinear, "range_on", lambda g, low, high: (g((low + high) / 2),) * 2
    )
    assert not definition.audit_ball_readings(inside=False).holds
