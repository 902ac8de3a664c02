"""Induced matrices, max-pooling, singular values, perturbed layers."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits.segments import induced, perturbed, pooling
from nbsrc.audits.segments.paths import Path


def test_products_and_neighbours(paths: list[Path], shallow: list[Path]) -> None:
    assert induced.audit_product(paths[::2]).holds
    assert not induced.audit_product(paths[::2], frozen=True).holds
    assert induced.audit_neighbours_differ(shallow).holds
    assert not induced.audit_neighbours_differ(paths).holds


def test_product_notices_a_wrong_gate(paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    right = Path.induced
    monkeypatch.setattr(Path, "induced", lambda self, j: [*right(self, j)[:-1], self.weights[-1]])
    assert not induced.audit_product(paths[::2]).holds


def test_interlacing(paths: list[Path]) -> None:
    assert induced.audit_interlacing(paths, shift=True).holds
    found = induced.audit_interlacing(paths, shift=False)
    assert found.counterexample == {"W": [[-1.0]], "rows set to 0": 1}


def test_recursion(paths: list[Path]) -> None:
    assert induced.audit_recursion(paths, 3.0).holds
    assert not induced.audit_recursion(paths, 3.0, offset=1.0).holds
    assert not induced.audit_recursion(paths, -1.0).holds


def test_max_pooling_selects_rows() -> None:
    apart = list(pooling.pooled_layers(40, 0, overlapping=False))
    over = list(pooling.pooled_layers(40, 0, overlapping=True))
    found = pooling.audit_pooled_rows(apart, zeroed=True)
    assert found.counterexample == {"W": [[0.0], [1.0]], "x": [1.0], "window": 2, "stride": 2}
    assert pooling.audit_pooled_rows([*apart, *over], zeroed=False).holds
    single = [x for x in apart if x.window == 1]
    assert single
    assert pooling.audit_pooled_rows(single, zeroed=True).holds
    assert pooling.audit_pooled_gain(apart, repeats=False).holds
    found = pooling.audit_pooled_gain(over, repeats=False)
    assert found.counterexample["W"] == [[0.0], [1.0], [0.0]]
    assert found.counterexample["largest singular value"] == pytest.approx(2**0.5)
    assert pooling.audit_pooled_gain([*apart, *over], repeats=True).holds
    assert pooling.audit_selection_product(20, 0, zeroed=False).holds
    assert not pooling.audit_selection_product(20, 0, zeroed=True).holds


def test_relu_of_the_perturbation() -> None:
    cases = list(perturbed.perturbed_layers(100, 0))
    found = perturbed.audit_identified(cases)
    assert found.counterexample == {
        "W": [[1.0]], "x": [1.0], "dx": [-1.0], "left": [-1.0], "right": [0.0]
    }  # fmt: skip
    assert perturbed.audit_identified(perturbed.perturbed_layers(30, 0, at_zero=True)).holds
    assert perturbed.audit_entrywise(cases).holds
    assert not perturbed.audit_entrywise(cases, share=0.99).holds
    assert 0 < perturbed.share_identified(cases) < 0.5


def test_variance_is_not_fixed_by_singular_values() -> None:
    pairs = list(perturbed.ensembles(30, 0))
    one, other = pairs[0]
    assert one.lengths.tolist() == [5, 3]
    assert other.lengths.tolist() == [0, 4]
    found = perturbed.audit_same_variance(pairs)
    assert found.counterexample["variances"] == [1, 4]
    assert perturbed.audit_same_variance([(one, one)]).holds
    assert perturbed.audit_variance_bound(pairs).holds
    assert not perturbed.audit_variance_bound(pairs, factor=0.01).holds
    twice = perturbed.Ensemble(2 * one.W, one.x, one.steps)
    with pytest.raises(AssertionError):
        perturbed.audit_same_variance([(one, twice)])


def test_lengths_of_an_ensemble_go_through_the_rectifier() -> None:
    W, x, steps = (torch.tensor(v).double() for v in ([[1]], [1], [[-2], [2]]))
    assert perturbed.Ensemble(W, x, steps).lengths.tolist() == [1, 2]
