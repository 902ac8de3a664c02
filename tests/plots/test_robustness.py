"""Pictures of robust classifiers: their rows are what is drawn."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from nbsrc.constructions import robust_classifier_with_lipschitz
from nbsrc.plots import robustness as plots

PLANE = torch.tensor([[0, 0], [4, 1], [1, 4], [5, 5]], dtype=torch.float64)
LINE = torch.tensor([[0.0], [4.0], [7.0]], dtype=torch.float64)


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    plt.close("all")


def test_robust_classifier() -> None:
    labels = torch.tensor([1, 2, 3, 1])
    figure, rows = plots.draw_robust_classifier(PLANE, labels, 1.2, pixels=21)
    output, slope = figure.axes[:2]
    assert [(r["first input"], r["second input"]) for r in rows] == [(0, 0), (4, 1), (1, 4), (5, 5)]
    assert [r["label"] for r in rows] == labels.tolist()
    assert [r["output"] for r in rows] == pytest.approx(labels.tolist(), abs=1e-12)
    assert all(r["largest slope on the ball"] == 0 for r in rows)
    for axis in (output, slope):
        marks = [tuple(map(float, x.get_xydata()[0])) for x in axis.lines]
        assert marks == [(r["first input"], r["second input"]) for r in rows]
    assert slope.images[0].get_array().shape == (21, 21)
    assert slope.images[0].get_extent() == [-2.4, 7.4, -2.4, 7.4]


def test_slope_map_is_the_right_way_up() -> None:
    """Two points on top of each other: the slope is between them, and constant along a row."""
    points = torch.tensor([[0.0, 0.0], [0.0, 8.0]], dtype=torch.float64)
    figure, _ = plots.draw_robust_classifier(points, torch.tensor([1, 2]), 1.0, pixels=25)
    image = np.asarray(figure.axes[1].images[0].get_array())
    assert np.ptp(image, axis=1).max() < 1e-12
    # the gap is 6: the output falls from 1 by 4/6 per unit, and climbs to 2 by 8/6
    assert image[10] == pytest.approx(2 / 3)  # height 3
    assert image[14] == pytest.approx(4 / 3)  # height 5
    assert image[4].max() == image[20].max() == 0  # the centres
    assert figure.axes[1].images[0].origin == "lower"


@pytest.mark.parametrize("labels", [[1], [3]])
def test_one_point(labels: list[int]) -> None:
    _, rows = plots.draw_robust_classifier(PLANE[:1], torch.tensor(labels), 1.0, pixels=5)
    assert [(r["label"], r["output"]) for r in rows] == [(labels[0], labels[0])]


def test_placements() -> None:
    labels = torch.tensor([1, 2, 1])
    figure, rows = plots.draw_placements(LINE, labels, eps=1, xi=4)
    assert len(figure.axes) == 3
    for axis, where in zip(figure.axes, ("outside", "shell", "inside"), strict=True):
        own = [row for row in rows if row["placement"] == where]
        curve = axis.lines[-1].get_xydata()[::10]
        assert [(r["position"], r["output"]) for r in own] == list(map(tuple, curve.tolist()))
        network = robust_classifier_with_lipschitz(LINE, labels, 1.0, 2, 4, where)
        # the closest pair is 4 and 7, in this order: positions count from 4
        x = torch.tensor([[row["position"] + 4] for row in own], dtype=torch.float64)
        expected = network(x).detach()[:, 0]
        assert [r["output"] for r in own] == pytest.approx(expected.tolist(), abs=1e-9)
        for row in own:
            inside = [int(y) for x, y in zip(LINE[:, 0], labels, strict=True)
                      if abs(row["position"] + 4 - float(x)) <= 1]  # fmt: skip
            assert row["label"] == (inside[0] if inside else "")
            if inside:
                assert abs(row["output"] - row["label"]) <= 0.375 + 1e-9
        low, high = axis.get_ylim()
        assert low < min(r["output"] for r in own) <= max(r["output"] for r in own) < high


def test_placements_in_the_plane_and_without_balls() -> None:
    labels = torch.tensor([1, 2, 2, 1])
    for eps in (0.5, 0.0):
        _, rows = plots.draw_placements(PLANE, labels, eps=eps, xi=4)
        assert {row["placement"] for row in rows} == {"outside", "shell", "inside"}
