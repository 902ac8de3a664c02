"""The charts of the chapter on power methods draw what they are given."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import pytest

from nbsrc.plots import power_methods as plots


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    plt.close("all")


def test_two_iterations() -> None:
    figure, rows = plots.draw_two_iterations(3)
    assert len(figure.axes) == 3
    assert len(rows) == 3 * 2 * 4
    last = {(r["panel"], r["method"]): (r["first"], r["second"]) for r in rows if r["k"] == 3}
    generic, zero, tie = (panel[0] for panel in plots.PANELS)
    assert last[generic, "attack"] == pytest.approx(last[generic, "power method"], abs=1e-6)
    assert last[zero, "attack"] == (1, -1)
    assert last[zero, "power method"] == (1, 1)
    assert last[tie, "attack"] != last[tie, "power method"] == (0.5, 0.5)


def test_twins() -> None:
    figure, rows = plots.draw_twins({"a": [0.0, 1e-3], "b": [1e-2, 1.0]}, "p = 2")
    assert [r["difference"] for r in rows] == [0.0, 1e-3, 1e-2, 1.0]
    assert list(figure.axes[0].get_lines()[0].get_ydata()) == [1e-17, 1e-3]


def test_radii() -> None:
    data = [{"training": t, "p": p, "radius": r} for t in "ab" for p in ("2", "inf")
            for r in (0.2, 0.1)]  # fmt: skip
    figure, rows = plots.draw_radii(data, {"2": 0.6, "inf": 0.1})
    assert rows == data
    assert list(figure.axes[0].get_lines()[0].get_xdata()) == [0.1, 0.2]


def test_rays_bound_and_beyond() -> None:
    rays = {"distance": 0.1} | {
        f"{way}, {key}": 1.0 for way in ("random", "adversarial")
        for key in ("absolute", "relative", "Jacobian")
    }  # fmt: skip
    figure, rows = plots.draw_rays({"a": [rays, {**rays, "distance": 1.0}]})
    assert len(rows) == 2
    assert len(figure.axes[2].get_lines()) == 2
    limit = {"eps / radius": 2.0, "attack": 1.0, "upper": 1.5, "upper, sharper": 1.4, "lower": 0.5}
    figure, rows = plots.draw_bound({"a": [limit], "b": [limit]})
    assert rows[0] == {"training": "a", **limit}
    part = {"eps / radius": 2.0, "cosine": 0.9, "value ratio": 0.8, "flipped units": 0.1}
    figure, rows = plots.draw_beyond({"a": [part]})
    assert [axis.get_lines()[0].get_ydata()[0] for axis in figure.axes] == [0.9, 0.8, 0.1]
