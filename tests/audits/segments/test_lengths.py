"""Path against chord, the weights of section 4.2.2, eq. (7), and planted errors."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.audits.segments import lengths, paths, weights
from nbsrc.audits.segments.paths import Path

ABSOLUTE = {"W": [[[-1.0], [1.0]]], "x": [1.0], "x'": [-1.0]}


def small(rows, x, end, **options) -> Path:
    tensors = tuple(torch.tensor(W).double() for W in rows)
    return Path(tensors, torch.tensor(x).double(), torch.tensor(end).double(), **options)


def test_the_smallest_turn() -> None:
    path = small([[[1], [-1]]], [-1], [1])
    assert path.path_length == 2
    assert lengths.chord(path) == pytest.approx(math.sqrt(2))
    assert path.shares.tolist() == [0.5, 0.5]
    assert path.steps.tolist() == [[0, 2], [-2, 0]]
    assert not lengths.straight(path)
    back = small([[[1], [-1]], [[1, 1]]], [-1], [1], linear_top=True)
    assert (back.path_length, lengths.chord(back)) == (2, 0)


def test_lemma_is_refuted_by_two_units(paths: list[Path], linear_top: list[Path]) -> None:
    found = lengths.audit_lemma(paths)
    assert not found.holds
    assert {k: found.counterexample[k] for k in ABSOLUTE} == ABSOLUTE
    assert lengths.audit_lemma(linear_top).counterexample["left"] == 0
    one_unit = [p for p in paths if len(p.weights) == 1 and len(p.weights[0]) == 1]
    assert lengths.audit_lemma(one_unit).holds


def test_what_holds(paths: list[Path], linear_top: list[Path]) -> None:
    for cases in (paths, linear_top):
        assert lengths.audit_delta(cases).holds
        assert lengths.audit_equality_case(cases).holds
    assert not lengths.audit_at_most_path(paths, share=0.99).holds
    assert not lengths.audit_equality_case(linear_top, opposite_counts=True).holds
    assert not lengths.audit_vector_identity(paths, weights.without_shares).holds


def test_one_layer(shallow: list[Path], paths: list[Path]) -> None:
    assert lengths.audit_one_norm(shallow).holds
    assert lengths.audit_root_bound(shallow).holds
    assert not lengths.audit_root_bound(shallow, factor=0.99).holds
    assert not lengths.audit_one_norm(paths).holds
    assert not lengths.audit_root_bound(paths).holds
    assert lengths.audit_root_sharp(5).holds
    assert not lengths.audit_root_sharp(4, ratio=1.5).holds
    assert not lengths.audit_root_sharp(2, share=1.0).holds  # the bound is not reached


def test_weights(shallow: list[Path]) -> None:
    assert weights.audit_path_weights(shallow, lengths.kept_shares).holds
    for printed in (weights.inverse_shares, weights.without_shares):
        assert not weights.audit_path_weights(shallow, printed).holds
        assert not weights.audit_weighted_terms(shallow, printed).holds


def test_sign_of_eq_7(paths: list[Path]) -> None:
    printed = weights.audit_mean_jacobian(paths, sign=-1)
    assert printed.counterexample["left"] == 0
    assert printed.counterexample["right"] == 1
    assert weights.audit_mean_jacobian(paths, sign=1).holds


def test_existence_says_nothing(paths: list[Path]) -> None:
    assert weights.audit_exists(paths).holds
    share, total = weights.two_piece_choice(small([[[1], [-1]]], [-1], [1]))
    assert share == pytest.approx(math.sqrt(0.5))
    assert total == pytest.approx(math.sqrt(2))


def test_planted_errors_are_noticed(paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    right = Path.induced
    monkeypatch.setattr(Path, "induced", lambda self, j: right(self, 0))
    again = [Path(p.weights, p.x, p.end, p.linear_top) for p in paths[::5]]
    assert not lengths.audit_vector_identity(again).holds
    assert not weights.audit_path_weights(
        [p for p in again if len(p.weights) == 1], lengths.kept_shares
    ).holds


def test_random_paths_cover_the_edges() -> None:
    drawn = list(paths.random_paths(80, 3))
    assert {len(p.weights) for p in drawn} == {1, 2, 3, 4}
    assert any(bool((p.delta == 0).all()) for p in drawn)
    assert any(bool((p.end == 0).all()) for p in drawn)
    assert {W.shape[0] > W.shape[1] for p in drawn for W in p.weights} == {True, False}
    assert any(min(W.shape) == 1 for p in drawn for W in p.weights)
