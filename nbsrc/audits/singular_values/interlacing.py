"""Matrices of which rows are dropped: what their singular values keep of the whole matrix's."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import torch

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.singular_values.cases import Layer
from nbsrc.claims import Finding
from nbsrc.layer_spectra import spectrum

__all__ = ["audit_children", "audit_interlacing", "masks"]


def masks(rows: int) -> Iterator[tuple[int, ...]]:
    """Yield all sets of rows that are not empty, the largest first.

    Args:
        rows: Number of rows.

    Yields:
        The sets.
    """
    for count in range(rows, 0, -1):
        yield from itertools.combinations(range(rows), count)


def audit_children(layers: Iterable[Layer]) -> Finding:
    """Test that matrices with equal singular values keep equal ones when a row is set to zero.

    Args:
        layers: Matrices; all pairs of one shape and spectrum are compared, for every row kept.

    Returns:
        The finding; the slack is minus the difference over sigma_max.
    """

    def cases() -> Iterator[Case]:
        for one, two in itertools.combinations(layers, 2):
            if one.W.shape != two.W.shape or len(one.W) < 2 or not one.spectrum.maximum:
                continue
            if not torch.allclose(one.spectrum.values, two.spectrum.values, 1e-12, 1e-12):
                continue
            for kept in masks(len(one.W)):
                a, b = (spectrum(x.W[list(kept)]).values for x in (one, two))
                size = tuple(u + v for u, v in zip(one.size, two.size, strict=True))
                shown = {"W": one.W.tolist(), "W'": two.W.tolist(), "rows kept": list(kept),
                         "values": [a.tolist(), b.tolist()]}  # fmt: skip
                yield -float((a - b).abs().max()) / one.spectrum.maximum, size, shown

    return collect(cases(), tolerance=1e-9, family="pairs of whole matrices with one spectrum")


def audit_interlacing(layers: Iterable[Layer], *, late: int = 0) -> Finding:
    """Test ``s_j(W) >= s_j(W') >= s_{j+r}(W)`` where W' is W without r rows.

    Args:
        layers: Matrices, tested with every set of rows.
        late: Use ``s_{j + r - late}``; 0 for the statement.

    Returns:
        The finding; the slack is relative to sigma_max.
    """

    def cases() -> Iterator[Case]:
        for x in layers:
            for kept in masks(len(x.W)):
                child, r = spectrum(x.W[list(kept)]).values, len(x.W) - len(kept)
                parent = torch.cat([x.spectrum.values, x.W.new_zeros(len(x.W) + len(child))])
                above = parent[: len(child)] - child
                below = child - parent[max(0, r - late) :][: len(child)]
                slack = float(torch.minimum(above, below).min()) / (x.spectrum.maximum or 1.0)
                shown = {**x.description, "rows kept": list(kept), "values": child.tolist()}
                yield slack, (*x.size, r), shown

    return collect(cases(), tolerance=1e-12, family="matrices with every set of rows")
