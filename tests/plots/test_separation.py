"""The histogram of distances to the nearest point of another class."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
import pytest
import torch

from nbsrc.plots.separation import draw_separations
from nbsrc.separation import separation

ORDERS = {"l1": 1, "l2": 2, "linf": math.inf}


@pytest.fixture(autouse=True)
def _close() -> None:
    yield
    plt.close("all")


def test_bins_hold_every_point_and_marks_stand_at_the_minima() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.randint(0, 17, (80, 6), generator=generator, dtype=torch.uint8)
    labels = torch.arange(80) % 3
    found = {name: separation(points, labels, ord, divisor=16) for name, ord in ORDERS.items()}
    entry = {"distance": 0.7, "histogram": {"top": 3.0, "counts": [0, 5, 7]}}
    recorded = {name: {"train": dict.fromkeys(ORDERS, entry)} for name in ("mnist", "cifar10")}
    figure, rows = draw_separations(found, recorded, {"linf": {"digits": 0.2, "mnist": 0.6}})
    for name, axis in zip(ORDERS, figure.axes, strict=True):
        chosen = [r for r in rows if (r["norm"], r["set"]) == (name, "digits")]
        assert sum(r["count"] for r in chosen) == 80
        marks = [line.get_xdata()[0] for line in axis.lines if line.get_marker() == "^"]
        assert marks == [found[name].distance, 0.7, 0.7]
        lines = [line.get_xdata()[0] for line in axis.lines if line.get_marker() != "^"]
        assert lines == ([0.2, 0.6] if name == "linf" else [])
    assert [r["to"] for r in rows if (r["norm"], r["set"]) == ("l2", "mnist")] == [1.0, 2.0, 3.0]
    assert figure.get_size_inches()[0] <= 7


def test_levels_of_the_digits_lie_in_the_middle_of_linf_bins() -> None:
    points = torch.tensor([[0], [16], [7]], dtype=torch.uint8)
    found = {"linf": separation(points, torch.tensor([0, 1, 2]), math.inf, divisor=16)}
    entry = {"linf": {"distance": 0.5, "histogram": {"top": 1.0, "counts": [1, 1]}}}
    recorded = {name: {"train": entry} for name in ("mnist", "cifar10")}
    _, rows = draw_separations(found, recorded, {})
    full = [r for r in rows if r["set"] == "digits" and r["count"]]
    assert [(r["from"] + r["to"]) / 2 for r in full] == [7 / 16, 9 / 16]
    assert [r["count"] for r in full] == [2, 1]


def test_a_norm_that_is_not_recorded_is_left_out() -> None:
    points = torch.tensor([[0], [16]], dtype=torch.uint8)
    found = {"l1": separation(points, torch.tensor([0, 1]), 1, divisor=16)}
    recorded = {"mnist": {"train": {}}, "cifar10": {"train": {}}}
    _, rows = draw_separations(found, recorded, {})
    assert {row["set"] for row in rows} == {"digits"}
