"""Bad arguments of the constructions are refused with their name and value."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nbsrc.constructions import closest_pair, robust_classifier
from nbsrc.constructions._arguments import check_data

POINTS, LABELS = torch.tensor([[0.0], [4.0]]), torch.tensor([1, 2])


@pytest.mark.parametrize("order", [3, 0, "2", None, True, math.nan])
def test_unknown_norms(order: object) -> None:
    with pytest.raises(ValueError, match=r"ord must be 1, 2 or math\.inf, got"):
        robust_classifier(POINTS, LABELS, 1.0, order)
    with pytest.raises(ValueError, match="ord must be"):
        closest_pair(POINTS, LABELS, order)


@pytest.mark.parametrize("eps", [-1e-9, math.nan, math.inf])
def test_bad_radii(eps: float) -> None:
    with pytest.raises(ValueError, match="eps must be a finite number >= 0, got"):
        robust_classifier(POINTS, LABELS, eps, 2)


@pytest.mark.parametrize("eps", ["1", None, True, torch.tensor(1.0)])
def test_radii_of_the_wrong_type(eps: object) -> None:
    with pytest.raises(TypeError, match="eps must be a finite number"):
        robust_classifier(POINTS, LABELS, eps, 2)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((2, 1)), "points must be a torch.Tensor, got ndarray"),
        (POINTS.half(), "points must be float32, float64 or integers, got dtype torch.float16"),
        (POINTS.bool(), "got dtype torch.bool"),
        (POINTS.to(torch.complex64), "got dtype torch.complex64"),
    ],
)
def test_points_of_the_wrong_type(points: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        robust_classifier(points, LABELS, 1.0, 2)


@pytest.mark.parametrize(
    ("points", "labels", "message"),
    [
        (POINTS[:, 0], LABELS, r"points must have shape \[m, n\], not empty, got \(2,\)"),
        (POINTS[:0], LABELS[:0], r"not empty, got \(0, 1\)"),
        (POINTS[:, :0], LABELS, r"not empty, got \(2, 0\)"),
        (POINTS, LABELS[:1], r"labels must have shape \(2,\), one per point, got \(1,\)"),
        (POINTS, LABELS[:, None], r"got \(2, 1\)"),
        (torch.tensor([[0.0], [math.nan]]), LABELS, "finite, got nan at row 1, column 0"),
        (torch.tensor([[-math.inf], [0.0]]), LABELS, "finite, got -inf at row 0, column 0"),
        (POINTS, torch.tensor([0, 2**24]), "labels must be small enough for exact sums"),
    ],
)
def test_bad_data(points: torch.Tensor, labels: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        robust_classifier(points, labels, 1.0, 2)


@pytest.mark.parametrize("labels", [LABELS.float(), LABELS.bool(), LABELS.to(torch.complex64)])
def test_labels_that_are_no_integers(labels: torch.Tensor) -> None:
    with pytest.raises(TypeError, match="labels must be integers, got dtype"):
        robust_classifier(POINTS, labels, 1.0, 2)
    with pytest.raises(TypeError, match=r"labels must be a torch\.Tensor, got list"):
        robust_classifier(POINTS, [1, 2], 1.0, 2)


def test_repeated_points_are_dropped_in_the_order_of_their_first_appearance() -> None:
    points = torch.tensor([[3.0, 0.0], [1.0, 1.0], [3.0, -0.0], [1.0, 1.0], [3.0, 0.0]])
    labels = torch.tensor([7, 5, 7, 5, 6])
    data = check_data(points, labels)
    assert data.rows.tolist() == [0, 1, 4]  # the last is a contradiction, found later
    assert data.labels.tolist() == [7, 5, 6]
    assert torch.equal(data.points, points[[0, 1, 4]].double())
    assert data.dtype == torch.float32
    assert check_data(points.int(), labels).dtype == torch.float64
