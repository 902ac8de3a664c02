"""The charts of the page on the margin bound draw what they are given."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest
import torch

from nbsrc.audits.margin_bound import terms, theorem, trained
from nbsrc.plots import margin_bound as plots


@pytest.fixture(autouse=True)
def _close() -> None:
    yield
    plt.close("all")


def test_margins() -> None:
    _, rows = plots.draw_margins(9)
    for row in rows:
        assert row["repaired"] <= row["true margin"] + 1e-9
    assert any(row["eq (5)"] > row["true margin"] + 0.1 for row in rows)


def test_cover() -> None:
    points, labels, centres, seen = trained.cover_picture()
    figure, rows = plots.draw_cover(points, labels, centres, 1.0, seen)
    assert [row["cell"] for row in rows] == [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4
    assert {row["label"] for row in rows if row["cell"] == 4} == {1, 2}
    assert float(points[:, 0].abs().min()) > 1  # robust with the radius of the balls
    assert sum(text.get_text().startswith("C") for text in figure.axes[0].texts) == 4


def test_bounds() -> None:
    cases = theorem.trials((10, 20), (0.05,), 0, count=400)
    figure, rows = plots.draw_bounds(cases)
    assert [row["m"] for row in rows] == [10, 20]
    assert rows[0]["eq (4)"] == cases[0].printed
    assert rows[1]["end of the proof"] > rows[1]["eq (4)"]
    assert len(figure.axes[0].get_lines()) == 5


def test_second_term() -> None:
    cases = terms.second_terms(1000, 0.1, (2.0, 4.0), 5)
    figure, rows = plots.draw_second_term(cases)
    assert len(rows) == 10
    assert rows[0]["second term"] == cases[0].value
    assert len(figure.axes[0].get_lines()) == 3


def test_trained() -> None:
    points, labels = trained.moons(6, 0)
    net = trained.train_plane(points, labels, eps=0.0, steps=30, seed=0, width=6)
    found = trained.distances(net, points, labels)
    figure, rows = plots.draw_trained([("one", net)], points, labels, 0.3, [found])
    assert [row["v"] for row in rows] == found
    assert figure.axes[0].get_title().startswith("one")
    wrong = net(points).argmax(1) != labels
    assert torch.equal(torch.tensor(found) < 0, wrong)
