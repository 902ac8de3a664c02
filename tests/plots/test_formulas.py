"""The map of exactness and the chart of bounds."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest

from nbsrc.audits.axes import judge_axis
from nbsrc.conv import L2Bounds
from nbsrc.plots.formulas import (
    BOUND_LABELS,
    KINDS,
    draw_exactness_map,
    draw_l2_bounds,
    kind_of_axis,
)


@pytest.fixture(autouse=True)
def _close() -> None:
    yield
    plt.close("all")


@pytest.mark.parametrize(
    ("axis", "kind"),
    [((4, 3, 1, 1), 1), ((3, 3, 1, 0), 2), ((2, 3, 1, 1), 3), ((1, 3, 1, 1), 4), ((1, 1, 2, 1), 5)],
)
def test_kinds(axis: tuple[int, int, int, int], kind: int) -> None:
    assert kind_of_axis(judge_axis(*axis)) == kind


def test_kinds_differ_without_colour() -> None:
    assert len({symbol for symbol, _, _ in KINDS}) == len(KINDS)


def test_map_has_a_row_per_cell() -> None:
    figure, rows = draw_exactness_map((1, 2), (0, 1, 2), largest=4)
    assert len(rows) == 2 * 3 * 16
    assert len(figure.axes) == 6
    cell = next(r for r in rows if (r["h"], r["k"], r["s"], r["p"]) == (1, 4, 1, 0))
    assert cell["kind"] == KINDS[0][2]


def test_bounds_are_divided_by_the_truth() -> None:
    bounds = [dict.fromkeys(BOUND_LABELS, 4.0), dict.fromkeys(BOUND_LABELS, 2.0)]
    figure, rows = draw_l2_bounds(["a", "b"], [2.0, 4.0], bounds)
    assert [row["ratio"] for row in rows] == [2.0, 0.5] * len(BOUND_LABELS)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sum(label.startswith("lower") for label in labels) == 3


def test_every_bound_has_a_label() -> None:
    assert tuple(BOUND_LABELS) == L2Bounds._fields
