"""The pictures of the Taylor radius and of Proposition 3.4 show what their rows say."""

from __future__ import annotations

import math
from collections.abc import Iterator

import matplotlib.pyplot as plt
import pytest
import torch

from nbsrc.audits.connections import trained, trainings
from nbsrc.plots import connections_taylor as plots


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    plt.close("all")


def test_taylor_radius_is_above_the_exact_one() -> None:
    figure, rows = plots.draw_taylor_radius((0.5, 1.0, 2.0), (0.51, 0.7, 0.9))
    assert len(figure.axes) == 2
    radius = {(r["curve"], r["p"], r["nu"]): r["y"] for r in rows if r["panel"] == "radius"}
    taylor = {key[1:]: value for key, value in radius.items() if key[0] == "Taylor"}
    exact = {key[1:]: value for key, value in radius.items() if key[0] == "exact"}
    assert taylor.keys() == exact.keys()
    assert all(taylor[key] >= exact[key] for key in exact)
    p, nu = max(exact)
    assert exact[p, nu] == pytest.approx(math.log(p / (1 - p)) / nu, rel=1e-6)


def test_parabola_touches_the_loss_at_the_point() -> None:
    _, rows = plots.draw_taylor_radius((1.0, 2.0, 3.0), (0.6, 0.7, 0.9))
    starts = [r for r in rows if r["panel"] == "loss" and r["x"] == 0]
    assert len(starts) == 6
    for p in (0.6, 0.7, 0.9):
        values = [r["y"] for r in starts if r["p"] == p]
        assert values == pytest.approx([-math.log(p)] * 2)


def test_worst_loss_rows() -> None:
    _, rows = plots.draw_worst_loss((0.5, 2.0, 4.0))
    printed = [r for r in rows if r["bound"] == "printed" and r["reach"] <= 1]
    repaired = [r for r in rows if r["bound"] == "repaired"]
    assert all(r["ratio"] < 1 for r in printed)
    assert all(r["ratio"] >= 1 - 1e-12 for r in repaired)


def test_network_radii() -> None:
    network = trained.train_network(0, 60)
    judged = trained.judge(network, *trained.two_arcs(20, 1), rays=8, rings=2)
    chosen = trained.apart(judged, 3, 100.0)
    assert len({q.number for q in chosen}) == 3
    figure, rows = plots.draw_network_radii(network, chosen, 0)
    assert len(rows) == 3
    assert len(figure.axes[0].patches) == 9
    with pytest.raises(ValueError, match="largest"):
        trained.apart(judged, 3, 0.0)


def test_minimisers_and_paths() -> None:
    small = next(iter(trainings.smallest_trainings()))
    problem = trainings.Training(small.features, small.signs, 0.3)
    starts = ((1.5, -1.5), (0.2, 1.4))
    figure, rows = plots.draw_minimisers(problem, starts, 150)
    assert len(figure.axes) == 2
    path = {(r["penalty"], r["start"], r["step"]): (r["v_plus"], r["v_minus"]) for r in rows}
    assert len(path) == 2 * 2 * 151
    assert all(path["spread", 1, i] == path["mu2", 1, i] for i in range(151))
    total = sum(path["spread", 2, 150])
    assert total == pytest.approx(1.6)  # conserved
    assert sum(path["mu2", 2, 150]) < 0.2  # decays
    best = problem.minimiser(problem.cross_objective, torch.zeros(1, 2).double())[0]
    ends = [path[name, 2, 150] for name in ("spread", "mu2")]
    for end in ends:
        assert end[0] - end[1] == pytest.approx(float(best[0] - best[1]), abs=0.1)
