"""The charts of the page on segments draw what they are given."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import pytest
import torch

from nbsrc.audits.segments.approaches import toward_boundary
from nbsrc.audits.segments.paths import Path, random_paths
from nbsrc.linear_region import segment_regions
from nbsrc.plots import segments as plots


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    plt.close("all")


def tensor(values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_walk() -> None:
    weights = (tensor([[1, -1], [1, 2], [-1, 1]]), tensor([[0, 1, 0], [2, 0, 1]]))
    path = Path(weights, tensor([-3, 1]), tensor([3, 1]))
    figure, rows = plots.draw_walk(path, 3.6, grid=40)
    assert [row["share"] for row in rows] == pytest.approx([1 / 6, 1 / 2, 1 / 3])
    assert [row["stretch"] for row in rows] == pytest.approx([1, 2**0.5, 5**0.5])
    image = figure.axes[0].get_images()[0].get_array()
    assert set(image.flatten().tolist()) == {0, 1, 2, 3}
    assert len(figure.axes[1].get_lines()) == 3 + 1 + 2 + 1  # pieces, corners, ends, chord


def test_lengths() -> None:
    paths = list(random_paths(30, 0))
    figure, rows = plots.draw_lengths(paths)
    assert len(rows) == sum(float(p.change.norm()) > 0 for p in paths)
    assert all(row["path"] >= row["chord"] * (1 - 1e-12) for row in rows)
    drawn = sum(len(line.get_xdata()) for line in figure.axes[0].get_lines())
    assert drawn == len(rows) + 2  # and the line at 1


def test_logits() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(1, 2, bias=False), torch.nn.ReLU()).double()
    net[0].weight.data = tensor([[1], [-1]])
    regions = segment_regions(net, tensor([-1]), tensor([1]))
    figure, rows = plots.draw_logits(regions, {0: "zero"})
    assert [row["t"] for row in rows] == [0, 0.5, 1]
    assert [row["score 1"] for row in rows] == [1, 0, 0]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["zero", "breakpoints"]


def test_counts() -> None:
    measured = [
        {"depth": d, "trained": t, "units": 16 * d, "regions": 4.0 * d, "scores": 1.0 + d}
        for d in (1, 2)
        for t in (False, True)
    ]
    figure, rows = plots.draw_counts(measured)
    assert rows == measured
    assert list(figure.axes[1].get_xticks()) == [1, 2]


def test_assumption() -> None:
    shares = [
        {"classes": K, "trained": t, "share": 0.5 + 0.1 * K} for K in (2, 3) for t in (False, True)
    ]
    W = tensor([[0, 0], [-1, -1], [-2, 3]])
    found = toward_boundary((W,), tensor([1, 0]))
    figure, rows = plots.draw_assumption(shares, {"three classes": found})
    assert rows == shares
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    assert heights == pytest.approx([70, 80, 70, 80])
    margin = figure.axes[1].get_lines()[0].get_ydata()
    assert max(margin) > margin[0] == pytest.approx(1)
    assert margin[-1] == pytest.approx(0, abs=1e-12)
