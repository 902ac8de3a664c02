"""Small families that the tests of the operator-norm audits share."""

from __future__ import annotations

import pytest

from nbsrc.audits.operator_norms import matrices, points
from nbsrc.audits.operator_norms.matrices import MatrixCase
from nbsrc.audits.operator_norms.points import ReluPoint


@pytest.fixture(scope="session")
def relu_points() -> list[ReluPoint]:
    return [*points.smallest_points(), *points.random_points(24, 0)]


@pytest.fixture(scope="session")
def cases() -> list[MatrixCase]:
    """Whole-number, degenerate and normal matrices, each with a start."""
    some = [*list(matrices.small_matrices(1))[::4], *matrices.degenerate_matrices()]
    return matrices.with_starts([*some, *matrices.random_matrices(18, 0)], 0)


@pytest.fixture(scope="session")
def nonzero(cases: list[MatrixCase]) -> list[MatrixCase]:
    return [case for case in cases if case.sigma > 0]
