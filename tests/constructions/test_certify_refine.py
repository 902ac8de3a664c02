"""Cutting a ball: the pieces cover it, and their bounds approach the exact range."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from nbsrc.constructions import certify_refine
from nbsrc.constructions.certify_exact import exact_range
from nbsrc.constructions.certify_intervals import Region
from nbsrc.constructions.certify_network import network_steps
from nbsrc.constructions.certify_refine import refine
from tests.constructions.test_certify import network

CENTRE = torch.tensor([[0.1, -0.2]], dtype=torch.float64)
BOTH = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
LOWER, UPPER = (torch.tensor(t, dtype=torch.float64) for t in ([1e9, -math.inf], [-math.inf, 1e9]))


def gaps(order: float, pieces: int) -> list[float]:
    """True ends minus proven ends of three networks: negative would be unsound.

    A target of 1e9 is never met, so all pieces are spent on one end.
    """
    found = []
    for seed in range(3):
        net = network((2, 5, 1), nn.ReLU(), seed)
        exact = exact_range(net, CENTRE[0], 0.5, order)
        region, steps = Region(CENTRE, 0.5, order), network_steps(net)[0]
        found.append(float(exact.lower - refine(steps, region, BOTH, LOWER, pieces).bounds[0]))
        found.append(float(-exact.upper - refine(steps, region, BOTH, UPPER, pieces).bounds[1]))
    return found


@pytest.mark.parametrize("order", [1, math.inf])
def test_pieces_cover_the_ball_and_their_bounds_tighten(order):
    whole, cut = gaps(order, 1), gaps(order, 30)
    assert min(*whole, *cut) >= -1e-9
    assert max(whole) > 0.1
    assert max(cut) < 0.5 * max(whole)
    assert sum(cut) < 0.5 * sum(whole)


@pytest.mark.parametrize("bug", ["a half is lost", "too much misses the ball"])
def test_lost_pieces_are_seen(bug, monkeypatch):
    if bug == "a half is lost":
        true_cut = certify_refine._cut
        monkeypatch.setattr(certify_refine, "_cut", lambda *a: list(true_cut(*a))[:1])
    else:
        true_misses = certify_refine._misses

        def early(region):
            smaller = Region(region.centre, 0.6 * region.eps, 1, region.lower, region.upper)
            return true_misses(smaller)

        monkeypatch.setattr(certify_refine, "_misses", early)
    assert min(gaps(math.inf, 30)) < -1e-3
