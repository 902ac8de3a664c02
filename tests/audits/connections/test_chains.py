"""The chains of appendix E, the norms in them, and the map of where they hold."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits.connections import chains, inequality_map, norm_bounds
from nbsrc.audits.connections.point_families import edge_points, random_points, small_points
from nbsrc.audits.connections.points import Point, point

POINTS = [*list(small_points())[::5], *random_points(150, 0), *edge_points()]
WRONG = [x for x in random_points(200, 1, correct=False) if not x.correct]


def holds(links, points=POINTS) -> bool:
    return chains.audit_chain(points, links).holds


def test_true_chains_and_their_planted_errors() -> None:
    assert holds(chains.eq34_links())
    assert holds(chains.eq34_links(2**0.5 + 1e-12))
    assert not holds(chains.eq34_links(1.41))
    assert holds(chains.eq36_links())
    assert not holds(chains.eq36_links(), WRONG)
    assert holds(chains.repaired_chain())
    assert holds(chains.repaired_chain()[:2], WRONG)
    assert not holds(chains.repaired_chain(), WRONG)
    assert holds(chains.eq43_links(count=lambda K: 2 * K))
    assert not holds(chains.eq43_links(count=lambda K: 1.98 * K))
    assert holds(chains.eq42_links()[1:])


@pytest.mark.parametrize(
    ("links", "bad"),
    [
        (chains.squared_chain(), {4, 5, 6, 10}),
        (chains.eq42_links(), {3, 4, 5, 6, 10}),
        (chains.eq43_links(), {2}),
        (chains.eq43_links("unordered"), {2, 3, 4}),
        (chains.unsquared_chain(), {2, 3, 4, 5, 6, 10}),
    ],
)
def test_where_the_printed_chains_fail(links, bad: set[int]) -> None:
    for K in (2, 3, 4, 5, 6, 10):
        extra = [point([[1.0] + [0.0] * (K - 1)], [1.01] + [1.0] * (K - 1))]
        assert holds(links, [*(x for x in POINTS if x.classes == K), *extra]) == (K not in bad)


def test_the_smallest_counterexample_and_its_link() -> None:
    found = chains.audit_chain(
        [point([[2, 0, 0, 0]], [4, 3, 3, 3]), point([[1, 0, 0, 0]], [4, 3, 3, 3])],
        chains.squared_chain(),
    )
    assert found.counterexample["V"] == [[1, 0, 0, 0]]
    assert found.counterexample["inequality"] == 1
    assert found.counterexample["left"] == pytest.approx(81 / 338)


def test_chain_constant() -> None:
    assert chains.chain_constant(3, 1 / 3) == pytest.approx(1)
    with pytest.raises(ValueError, match=r"0\.2"):
        chains.chain_constant(4, 0.2)


def test_probabilities() -> None:
    for pairs in (False, True):
        assert norm_bounds.audit_probabilities(POINTS, pairs=pairs).holds
    one, two = point([[0, 0, 1]], [3, 4, 1]), point([[0] * 5 + [1]], [17, 40, 40, 1, 1, 1])
    assert not norm_bounds.audit_probabilities([one], pairs=False).holds
    assert norm_bounds.audit_probabilities([one], pairs=True).holds
    assert not norm_bounds.audit_probabilities([two], pairs=True).holds


def test_induced_norms() -> None:
    for norm in ("gradient", "hessian"):
        assert holds(norm_bounds.induced_links(norm))
    assert not holds(norm_bounds.induced_links("gradient", swapped=True))
    assert not holds(norm_bounds.induced_links("hessian"), WRONG)
    with pytest.raises(ValueError, match="'both'"):
        norm_bounds.induced_links("both")
    matrix = torch.tensor([[1.0, -2.0], [3.0, 4.0]])
    assert norm_bounds.column_norm(matrix, 1) == 6
    assert norm_bounds.column_norm(matrix, float("inf")) == 7


def test_map_agrees_with_random_points() -> None:
    """No point violates where the map says 'holds', and 'fails' has a V that violates."""
    for name in inequality_map.INEQUALITIES:
        for x in POINTS:
            if name == "gradient":
                ratio = x.slope**2 / (2 * x.curvature)
            else:
                ratio = x.curvature / (
                    x.classes * (x.classes - 1) / 2 * x.p_y * x.rest * x.nu2(name)
                )
            worst = inequality_map.worst_ratio(name, x.classes, min(x.p_y, 1 - 1e-9))
            assert ratio <= max(worst, 1.0) * (1 + 1e-9) or worst > 1


@pytest.mark.parametrize(("K", "p_y"), [(2, 0.6), (3, 0.9), (4, 0.95)])
def test_map_cells_that_fail_are_attained(K: int, p_y: float) -> None:
    """The leading eigenvector of diag(p) - pp^T as the only row of V attains the ratio."""
    p = inequality_map.rival_shares(K, p_y, 1 - p_y, 0)
    vector = torch.linalg.eigh(torch.diag(p) - torch.outer(p, p)).eigenvectors[:, -1]
    x = Point(vector[None], p + 1e-12, 0)
    ratio = x.curvature / (K * (K - 1) / 2 * x.p_y * x.rest * x.nu2("unordered"))
    assert ratio == pytest.approx(inequality_map.worst_ratio("unordered", K, p_y), rel=1e-6)
    assert ratio > 1


def test_map_rows() -> None:
    rows = inequality_map.inequality_map((2, 5), (0.3, 0.9))
    words = {(r["inequality"], r["K"], r["p_y"]): r["is"] for r in rows}
    assert words["gradient", 2, 0.3] == "impossible"
    assert words["gradient", 5, 0.3] == "fails"
    assert words["ordered", 2, 0.9] == "fails"
    assert words["unordered", 5, 0.9] == "holds"
    with pytest.raises(ValueError, match="'none'"):
        inequality_map.worst_ratio("none", 3, 0.5)
    with pytest.raises(ValueError, match="1/3"):
        inequality_map.worst_ratio("gradient", 3, 0.2)
