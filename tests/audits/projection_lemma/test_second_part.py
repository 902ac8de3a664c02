"""Lemma 2, second part, Lemma 3 and their proofs line by line."""

from __future__ import annotations

import math

import pytest

from nbsrc.audits.projection_lemma import clipping
from nbsrc.audits.projection_lemma import closed_forms as forms
from nbsrc.audits.projection_lemma import second_part as part

BALLS = part.balls(10, 0, (1, 1.5, 2, 4, math.inf))
ENDS = [b for b in BALLS if b.p in {1, 2, math.inf}]
CUBES = [b for b in BALLS if b.p == math.inf]


def test_next_iterate() -> None:
    found = part.audit_next(BALLS, lambda b: b.printed_next)
    assert found.counterexample["x_{k-1}"] == [0.0, 1.0]
    assert found.counterexample["v_k"] == [1.0, 0.0]
    assert part.audit_next(BALLS, lambda b: b.repaired_next).holds
    strict = [b for b in BALLS if 1 < b.p < math.inf]
    assert part.audit_next(strict, lambda b: b.printed_next).holds
    assert not part.audit_next(strict, lambda b: b.x + 1.01 * b.eps * b.printed).holds


def test_of_the_form() -> None:
    normalised = part.of_the_form(ENDS)
    assert not part.audit_next(normalised, lambda b: b.x + b.eps * b.g).holds
    assert part.audit_next(normalised, lambda b: b.repaired_next).holds


def test_which_line_loses_the_iterate() -> None:
    assert not part.audit_line(BALLS, "(63)", "(65)").holds
    assert part.audit_line(BALLS, "(65)", "(67)").holds
    assert part.audit_line(BALLS, "(67)", "(69)").holds


def test_components() -> None:
    assert not part.audit_components_leave(BALLS, nonzero=False).holds
    assert part.audit_components_leave(BALLS, nonzero=True).holds


@pytest.mark.parametrize(
    ("projection", "p", "holds"),
    [
        (forms.scale_inside, 2, True), (forms.scale_always, 2, False),
        (forms.clip, math.inf, True), (forms.scale_to_cube, math.inf, False),
        (forms.clip, 2, False), (forms.scale_inside, math.inf, False),
    ],
)  # fmt: skip
def test_projections(projection: forms.Projection, p: float, holds: bool) -> None:
    found = forms.audit_is_projection(projection, p, count=20, seed=0, radii=(0.1, 1.0, 2.5))
    assert found.holds is holds


def test_scaling_is_undefined_at_the_centre_of_a_ball_of_radius_0() -> None:
    found = forms.audit_is_projection(forms.scale_inside, 2, count=0, seed=0, radii=(0.0,))
    assert found.counterexample == {"eps": 0.0, "x": [0.0], "point": [0.0]}
    assert forms.audit_is_projection(forms.clip, math.inf, count=5, seed=0, radii=(0.0,)).holds


def test_scaling_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    round_balls = [b for b in BALLS if b.p == 2]
    assert forms.audit_scaling_lines(round_balls).holds
    monkeypatch.setattr(forms, "scale_inside", forms.scale_always)
    assert not forms.audit_scaling_lines(round_balls).holds


def test_clip_lines() -> None:
    found = forms.audit_clip_lines(CUBES, keep_zeros=False)
    assert found.counterexample["(82)"] == [1.0, 1.0]
    assert found.counterexample["(83)"] == [1.0, 0.0]
    assert forms.audit_clip_lines(CUBES, keep_zeros=True).holds


def test_exchange() -> None:
    assert clipping.audit_exchange((0, 0.1, 1, 2.5)).holds
    assert clipping.audit_exchange((-1,)).counterexample["x"] == 0.0
    assert clipping.audit_clip_is_projection((math.inf,)).holds
    assert clipping.audit_clip_is_projection((1,)).counterexample["x"] == [1.0, 1.0]


def test_indicators() -> None:
    assert clipping.audit_indicators().holds
    assert not clipping.audit_indicators(lambda a, x: a + (x < a) * (x - a)).holds


def test_lines_break_at_the_end_of_the_interval() -> None:
    found = clipping.audit_lines((1, 0.25, 2.5))
    assert found.counterexample["x"] == 1.0
    assert found.counterexample["wrong lines"] == [102, 103]
    assert clipping.audit_lines((1, 0.25, 2.5), closed=True).holds
    assert not clipping.audit_lines((-1,), closed=True).holds
    assert not clipping.audit_lines((0,), closed=True).holds  # the identities used need eps > 0
