"""Nearest points of another class: tiles of all pairs, and pruning by exact lower bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from nbsrc._separation_bounds import lower_bound_features, pair_distances

METHODS = ("auto", "all", "pruned")
Points = tuple[Tensor, Tensor]  # points and labels

_METRICS = {1.0: "cityblock", 2.0: "sqeuclidean", math.inf: "chebyshev"}
_WORTH_PRUNING = 10**9  # coordinates of all pairs: below, comparing all takes about a second
_EXACT_FLOAT32 = 1024  # products of two numbers up to 128 that float32 sums up without rounding
_SEEDS = 4  # most promising pairs per row and column of a tile, looked at before the others
_INDEX_BITS = 32
_NOTHING = 2**62


def nearest_other(
    points: Tensor, labels: Tensor, against: Points | None, ord: float, *, memory: float,
    method: str,
) -> Points:  # fmt: skip
    """Return the distance (l2: squared) to the nearest point of another class, and its index.

    Args:
        points: ``[n, ...]``, checked.
        labels: ``[n]``.
        against: The second set, or None for the same one.
        ord: 1, 2 or infinity.
        memory: Bytes of working memory.
        method: ``"auto"``, ``"all"`` or ``"pruned"``.

    Returns:
        Values, float64 ``[n]`` (infinite where there is none), and indices, int64 (-1).

    Raises:
        NotImplementedError: If integers are too large for exact sums, or pruning is asked for
            where there are no bounds.
    """
    others, other_labels = (points, labels) if against is None else against
    low, high = _range(points, others)
    eight_bits = not points.is_floating_point() and high - low <= 255
    prunable = eight_bits and ord != 2 and points[0].numel() * 255 < 2**24
    if method == "pruned" and not prunable:
        raise NotImplementedError(
            "method 'pruned' needs l1 or linf and integers that span at most 255, with at most "
            f"65,793 coordinates, got ord {ord}, {points.dtype}, a span of {high - low} and "
            f"{points[0].numel()} coordinates"
        )
    size = len(points) * len(others) * points[0].numel()
    tiles = _tiles(len(points), len(others), memory, symmetric=against is None)
    if prunable and (method == "pruned" or (method == "auto" and size > _WORTH_PRUNING)):
        rows, columns = (_as_bytes(p, int(low)) for p in (points, others))
        return _pruned(rows, labels, columns, other_labels, ord, tiles, against is None)
    if eight_bits and ord == 2:
        tile = _squared_by_products(_as_bytes(points, int(low)), _as_bytes(others, int(low)))
    else:
        tile = _by_differences(points, others, ord, (low, high))
    return _all_pairs(tile, labels, other_labels, tiles, symmetric=against is None)


def _as_bytes(points: Tensor, low: int) -> Tensor:
    """Return the points above ``low`` as bytes; int8 would overflow in its own type."""
    wide = points if points.dtype == torch.uint8 else points.long()
    return (wide - low).to(torch.uint8)


def _range(points: Tensor, others: Tensor) -> tuple[float, float]:
    """Return the smallest and the largest coordinate, as Python numbers."""
    low = min(points.min().item(), others.min().item())
    return low, max(points.max().item(), others.max().item())


def _tiles(
    rows: int, columns: int, memory: float, *, symmetric: bool
) -> Iterator[tuple[slice, slice]]:
    """Yield blocks of pairs, those on or above the diagonal of a symmetric problem."""
    side = max(1, min(4096, int(math.sqrt(memory / 48))))  # distances, bounds, masks and copies
    for i in range(0, rows, side):
        for j in range(i if symmetric else 0, columns, side):
            yield slice(i, min(i + side, rows)), slice(j, min(j + side, columns))


Tile = Callable[[slice, slice], Tensor]


def _by_differences(points: Tensor, others: Tensor, ord: float, ends: tuple[float, float]) -> Tile:
    """Return a function that compares two blocks coordinate by coordinate in float64."""
    span = ends[1] - ends[0]
    count = 1 if ord == math.inf else points[0].numel()
    most = count * min(span, 2**60) ** (2 if ord == 2 else 1)
    if not points.is_floating_point() and max(most, *map(abs, ends)) >= 2**53:
        raise NotImplementedError(
            f"integer points must stay below 2^53 with all sums to be compared exactly, got {ends}"
        )
    if not span < 1e150:
        raise NotImplementedError(f"points must span less than 1e150, got values in {ends}")
    x, y = (np.asarray(p.detach().reshape(len(p), -1).double()) for p in (points, others))
    return lambda i, j: torch.from_numpy(cdist(x[i], y[j], metric=_METRICS[ord]))


def _squared_by_products(points: Tensor, others: Tensor) -> Tile:
    """Return a function for squared l2 distances of 8-bit points by matrix products.

    Centred at 128 a product of two coordinates is at most 2^14, so 1,024 of them add up to at most
    2^24: float32 holds every partial sum, whatever the order of summation. A user who lets torch
    multiply with fewer bits gets float64.
    """
    full = torch.get_float32_matmul_precision() == "highest"
    dtype = torch.float32 if full else torch.float64
    x, y = (p.reshape(len(p), -1).to(dtype) - 128 for p in (points, others))
    x2, y2 = (p.double().square().sum(1) for p in (x, y))

    def tile(i: slice, j: slice) -> Tensor:
        total = x2[i, None] + y2[None, j]
        for start in range(0, x.shape[1], _EXACT_FLOAT32):
            part = slice(start, start + _EXACT_FLOAT32)
            total.sub_(x[i, part] @ y[j, part].T, alpha=2)
        return total

    return tile


def _all_pairs(
    tile: Tile, labels: Tensor, other_labels: Tensor, tiles: Iterator[tuple[slice, slice]],
    *, symmetric: bool,
) -> Points:  # fmt: skip
    """Compare all pairs; of several nearest points the first one is kept."""
    value = torch.full((len(labels),), math.inf, dtype=torch.float64)
    index = torch.full((len(labels),), -1, dtype=torch.int64)

    def update(where: slice, distances: Tensor, offset: int) -> None:
        best = torch.argmin(distances, dim=1)
        found = distances.gather(1, best[:, None])[:, 0]
        better = found < value[where]
        value[where] = torch.where(better, found, value[where])
        index[where] = torch.where(better, best + offset, index[where])

    for i, j in tiles:
        distances = tile(i, j)
        distances.masked_fill_(labels[i, None] == other_labels[None, j], math.inf)
        update(i, distances, j.start)
        if symmetric and i.start != j.start:
            update(j, distances.T.contiguous(), i.start)
    return value, index


def _pruned(
    rows: Tensor, labels: Tensor, columns: Tensor, other_labels: Tensor, ord: float,
    tiles: Iterator[tuple[slice, slice]], symmetric: bool,
) -> Points:  # fmt: skip
    """Compare only the pairs that the lower bounds leave."""
    search = _Search(rows, columns, ord, symmetric=symmetric)
    for i, j in tiles:
        bound = torch.cdist(search.coarse[0][i], search.coarse[1][j], p=ord)
        bound.masked_fill_(labels[i, None] == other_labels[None, j], math.inf)
        for dim in (0, 1) if symmetric else (1,):
            count = min(_SEEDS, bound.shape[dim])
            seeds = bound.topk(count, dim=dim, largest=False, sorted=False).indices
            grid = torch.arange(bound.shape[1 - dim])
            grid = grid[None].expand_as(seeds) if dim == 0 else grid[:, None].expand_as(seeds)
            r, c = (seeds, grid) if dim == 0 else (grid, seeds)
            r, c = r.reshape(-1), c.reshape(-1)
            open_ = bound[r, c] < math.inf
            search.compare(r[open_] + i.start, c[open_] + j.start)
        left = bound < search.limit(i)[:, None]
        if symmetric:
            left |= bound < search.limit(j)[None]
        r, c = torch.nonzero(left, as_tuple=True)
        search.compare(r + i.start, c + j.start)
    return search.result()


class _Search:
    """Nearest distances found so far, and how a list of pairs improves them."""

    def __init__(self, rows: Tensor, columns: Tensor, ord: float, *, symmetric: bool) -> None:
        both = [lower_bound_features(p, ord) for p in ((rows,) if symmetric else (rows, columns))]
        if not symmetric and ord == math.inf:  # the same coordinates for both sets
            both[1] = lower_bound_features(columns, ord, like=rows)
        first, second = both[0], both[-1]
        self.coarse = (first[0], second[0])
        self.fine = None if first[1] is None or second[1] is None else (first[1], second[1])
        self.flat = (rows.reshape(len(rows), -1), columns.reshape(len(columns), -1))
        self.ord = ord
        self.symmetric = symmetric
        # Distance and index in one integer: its minimum is the nearest, the first among equals.
        self.key = torch.full((len(rows),), _NOTHING, dtype=torch.int64)

    def limit(self, where: slice | Tensor) -> Tensor:
        """Return the distances that a point must beat."""
        return self.key[where] >> _INDEX_BITS

    def compare(self, r: Tensor, c: Tensor) -> None:
        """Compare pairs that have different labels, as long as a bound leaves them open."""
        step = max(1, 2**22 // self.flat[0].shape[1])
        for start in range(0, len(r), step):
            i, j = r[start : start + step], c[start : start + step]
            if self.fine is not None:
                bound = pair_distances(self.fine[0], i, self.fine[1], j, self.ord)
                left = self._open(bound, i, j)
                i, j = i[left], j[left]
            self._update(i, j, pair_distances(self.flat[0], i, self.flat[1], j, self.ord))

    def _open(self, bound: Tensor, i: Tensor, j: Tensor) -> Tensor:
        left = bound < self.limit(i)
        return left | (bound < self.limit(j)) if self.symmetric else left

    def _update(self, i: Tensor, j: Tensor, distance: Tensor) -> None:
        shifted = distance << _INDEX_BITS
        self.key.scatter_reduce_(0, i, shifted + j, "amin")
        if self.symmetric:
            self.key.scatter_reduce_(0, j, shifted + i, "amin")

    def result(self) -> Points:
        """Return distances and indices."""
        found = self.key < _NOTHING
        value = self.limit(slice(None)).double().masked_fill(~found, math.inf)
        index = (self.key & (2**_INDEX_BITS - 1)).masked_fill(~found, -1)
        return value, index
