"""Labelled data sets for hypothesis, and points of closed balls, vertices and boundary included."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hypothesis import assume, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from torch import Tensor

QUICK = settings(max_examples=15, deadline=None)
THOROUGH = settings(max_examples=60, deadline=None)

ORDERS = (1, 2, math.inf)
METRICS = {1: "cityblock", 2: "euclidean", math.inf: "chebyshev"}
DUAL = {1: math.inf, 2: 2, math.inf: 1}


@dataclass(frozen=True)
class Case:
    """A separable data set with its radius and norm."""

    points: Tensor
    labels: Tensor
    eps: float
    ord: float

    @property
    def arguments(self) -> tuple[Tensor, Tensor, float, float]:
        return self.points, self.labels, self.eps, self.ord


def separation(points: Tensor, labels: Tensor, order: float) -> float:
    """Return the distance between classes, from scipy."""
    table = cdist(points.double().numpy(), points.double().numpy(), METRICS[order])
    table[np.equal.outer(labels.numpy(), labels.numpy())] = math.inf
    return float(table.min())


@st.composite
def labelled_points(draw: Any, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Spread, clustered, collinear and integer points, some of them twice; 2 to 10 classes."""
    dimension, classes = draw(st.integers(1, 20)), draw(st.integers(2, 10))
    count = classes + draw(st.integers(0, 20))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    names = torch.randperm(19, generator=generator)[:classes] - draw(st.sampled_from([0, 9]))
    labels = names[
        torch.cat([
            torch.arange(classes),
            torch.randint(classes, (count - classes,), generator=generator),
        ])
    ]
    kind = draw(st.sampled_from(["spread", "clustered", "collinear", "integers", "far"]))
    points = torch.randn(count, dimension, generator=generator, dtype=torch.float64)
    if kind == "clustered":
        centres = 5 * torch.randn(3, dimension, generator=generator, dtype=torch.float64)
        points = centres[torch.randint(3, (count,), generator=generator)] + 0.05 * points
    elif kind == "collinear":
        points = points[:, :1] * points[:1] + points[1:2]
    elif kind == "integers":
        points = torch.randint(-20, 21, points.shape, generator=generator).double()
    elif kind == "far":
        points += 1000.0
    if draw(st.booleans()):  # the same points of the same classes again
        again = torch.randint(count, (5,), generator=generator)
        points, labels = torch.cat([points, points[again]]), torch.cat([labels, labels[again]])
    return points.to(dtype), labels


@st.composite
def cases(draw: Any, dtype: torch.dtype = torch.float64) -> Case:
    """Separable data sets, with eps from 0 to nearly half of the distance between classes."""
    points, labels = draw(labelled_points(dtype))
    order = draw(st.sampled_from(ORDERS))
    between = separation(points, labels, order)
    size = float(torch.linalg.vector_norm(points.double(), order, dim=1).max())
    single = dtype == torch.float32
    assume(between > (2e-3 if single else 1e-6) * size)  # else rounding may need the room
    close = 0.45 if single else 0.5 - 1e-6
    share = draw(st.sampled_from([0.0, 0.01, 0.25, 0.4, close]))
    return Case(points, labels, share * between, order)


def ball(centres: Tensor, eps: float, order: float, seed: int, directions: int = 8) -> Tensor:
    """Return points of the closed balls, ``[k, m, n]``: centre, vertices, boundary, inside.

    The last ones lie on the segments to other centres, where balls come closest.
    """
    generator = torch.Generator().manual_seed(seed)
    count, width = centres.shape
    moves = [torch.zeros_like(centres)]
    for _ in range(directions):
        signs = 2.0 * torch.randint(2, centres.shape, generator=generator).to(centres.dtype) - 1
        axis = torch.zeros_like(centres)
        chosen = torch.randint(width, (count, 1), generator=generator)
        axis.scatter_(1, chosen, signs[:, :1])
        normal = torch.randn(centres.shape, generator=generator, dtype=centres.dtype)
        inside = normal * torch.rand(count, 1, generator=generator, dtype=centres.dtype)
        moves += [signs, axis, normal]
        length = torch.linalg.vector_norm(normal, order, dim=1, keepdim=True)
        moves.append(inside / length * 0.999)
        moves.append(centres[torch.randperm(count, generator=generator)] - centres)
    samples = []
    for move in moves:
        length = torch.linalg.vector_norm(move, order, dim=1, keepdim=True)
        scaled = torch.where(length > 1, move / length, move)  # never outside but for rounding
        full = torch.where(length > 0, move / length.clamp(min=1e-300), move)
        samples += [centres + eps * full, centres + eps * scaled]
    return torch.stack(samples)
