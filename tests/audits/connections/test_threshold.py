"""log K as a threshold: one direction holds, the other does not."""

from __future__ import annotations

import math

import pytest

from nbsrc.audits.connections import threshold
from nbsrc.audits.connections.optima import taylor_optimum
from nbsrc.audits.connections.point_families import random_points, small_points
from nbsrc.audits.connections.points import point

POINTS = [*list(small_points(correct=False))[::5], *random_points(200, 0, correct=False)]
UNTIED = [x for x in POINTS if float(x.weights[x.label]) != float(x.others.max())]
CASE = point([[0, 0, 1]], [3, 4, 1])


def log_two(K: int) -> float:
    return math.log(2)


def test_two_classes_are_decided() -> None:
    two = [x for x in UNTIED if x.classes == 2]
    assert threshold.audit_threshold(two, math.log).holds
    assert not threshold.audit_threshold(two, lambda K: 0.7).holds


def test_more_classes_are_not() -> None:
    assert threshold.audit_high_loss_is_wrong(POINTS, math.log).holds
    assert not threshold.audit_high_loss_is_wrong(POINTS, log_two).holds
    assert threshold.audit_wrong_is_high_loss([*POINTS, CASE], log_two).holds
    found = threshold.audit_wrong_is_high_loss([CASE], math.log)
    assert found.counterexample == CASE.description
    assert not threshold.audit_threshold([CASE], math.log).holds


def test_distances() -> None:
    x = point([[1, 0, -1]], [4, 2, 1])
    assert threshold.decision_distance(x) == pytest.approx(math.log(2))
    two = point([[1, -1]], [3, 1])
    assert threshold.log_two_distance(two) == pytest.approx(taylor_optimum(two))
    assert threshold.log_two_distance(point([[1, 0, 0]], [4, 3, 3])) == 0.0
    assert threshold.decision_distance(point([[1, 1]], [2, 1])) == math.inf
