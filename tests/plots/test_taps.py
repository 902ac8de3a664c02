"""Pictures of matrices and tap classes: the data behind them is right."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest

from nbsrc.audits.linear import audit_drawn_matrix
from nbsrc.conv import tap_classes
from nbsrc.plots.taps import draw_lemma1_positions, draw_matrices


@pytest.fixture(autouse=True)
def _close() -> None:
    yield
    plt.close("all")


def test_matrices_multiply_like_the_layer() -> None:
    figure, rows = draw_matrices((4, 3), (2, 3), [(1, 0), (2, 1)])
    assert audit_drawn_matrix(rows, (4, 3), (2, 3), 0).holds
    assert not audit_drawn_matrix(rows[1:], (4, 3), (2, 3), 0).holds
    assert len(figure.axes) == 2


def test_lemma1_positions_hit_one_pixel() -> None:
    figure, rows = draw_lemma1_positions()
    hits = [row for row in rows if row["meets"]]
    assert len(figure.axes) == 3
    assert {(row["pixel_row"], row["pixel_column"]) for row in hits} == {(4, 4)}
    assert [(row["tap_row"], row["tap_column"]) for row in hits] == [(3, 3), (5, 5), (1, 1)]
    members = {(r["tap_row"] - 1, r["tap_column"] - 1) for r in rows if r["in_class"]}
    assert tuple(sorted(members)) in tap_classes(7, 5, stride=2, padding=1)
