"""Max-pooling: the induced matrix selects rows of W, and may take one twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nbsrc.audits.connections.compare import audit_true
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = [
    "PooledLayer",
    "audit_pooled_gain",
    "audit_pooled_rows",
    "audit_selection_product",
    "pooled_layers",
]


@dataclass(frozen=True, eq=False)
class PooledLayer:
    """A layer ``g(W x)`` with max-pooling along the outputs, and a point.

    Attributes:
        W: ``[h, n]``, float64.
        x: The point ``[n]``.
        window: Window size.
        stride: Stride; below the window size windows overlap.
    """

    W: Tensor
    x: Tensor
    window: int
    stride: int

    def apply(self, x: Tensor) -> Tensor:
        """Evaluate the layer.

        Args:
            x: The input ``[n]``.

        Returns:
            The pooled outputs.
        """
        return F.max_pool1d((self.W @ x)[None, None], self.window, self.stride)[0, 0]

    @property
    def winners(self) -> Tensor:
        """The row of W that each output takes; the first of equal ones."""
        h = (self.W @ self.x).unfold(0, self.window, self.stride)
        return torch.arange(len(h)) * self.stride + h.argmax(dim=1)

    def selection(self) -> Tensor:
        """Return S, one 1 per row, with Jacobian S W.

        Returns:
            ``[outputs, h]``.
        """
        return F.one_hot(self.winners, len(self.W)).double()

    def induced(self) -> Tensor:
        """Return the matrix of the linear map around x by automatic differentiation.

        Returns:
            ``[outputs, n]``.
        """
        found: Tensor = torch.autograd.functional.jacobian(self.apply, self.x)
        return found

    @property
    def repeats(self) -> int:
        """How often the most frequent winner is taken."""
        return int(self.winners.bincount().max())

    @property
    def size(self) -> tuple[int, ...]:
        """Whole numbers before others, entries, window, sum of the entries' sizes."""
        entries = torch.cat([self.W.flatten(), self.x])
        whole = bool((entries == entries.round()).all())
        return 1 - whole, self.W.numel(), self.window, int(entries.abs().sum())

    @property
    def description(self) -> dict[str, Any]:
        """The layer in numbers."""
        shown: dict[str, Any] = {"window": self.window, "stride": self.stride}
        if self.W.numel() <= 9:
            return {"W": self.W.tolist(), "x": self.x.tolist(), **shown}
        return {"shape": list(self.W.shape), **shown}


def pooled_layers(count: int, seed: int, *, overlapping: bool) -> Iterator[PooledLayer]:
    """Yield small whole layers without ties, then random ones.

    Args:
        count: How many random ones.
        seed: Seed.
        overlapping: Windows of 2 or 3 with stride 1, else stride equal to the window (1 to 3).

    Yields:
        The layers.
    """
    one = torch.ones(1, dtype=torch.float64)
    height = 3 if overlapping else 2
    for entries in product((0, 1, 2), repeat=height):
        W = torch.tensor(entries, dtype=torch.float64)[:, None]
        if len(set(entries)) == height or (overlapping and entries in {(0, 1, 0), (0, 2, 0)}):
            yield PooledLayer(W, one, 2, 1 if overlapping else 2)
    g = torch.Generator().manual_seed(seed)
    for _ in range(count):
        window = int(torch.randint(2 if overlapping else 1, 4, (), generator=g))
        outputs = int(torch.randint(1, 5, (), generator=g))
        stride = 1 if overlapping else window
        height = window + (outputs - 1) * stride
        W = torch.randn(height, int(torch.randint(1, 7, (), generator=g)), generator=g).double()
        x = torch.randn(W.shape[1], generator=g).double()
        yield PooledLayer(W, x, window, stride)


def audit_pooled_rows(layers: Iterable[PooledLayer], *, zeroed: bool) -> Finding:
    """Test what the induced matrix of a layer with max-pooling is.

    Args:
        layers: The layers.
        zeroed: True for the printed form, W with some rows set to zero; False for S W with one 1
            in each row of S.

    Returns:
        The finding; the induced matrix comes from automatic differentiation.
    """

    def right(layer: PooledLayer) -> bool:
        found = layer.induced()
        if not zeroed:
            return torch.equal(found, layer.selection() @ layer.W)
        if found.shape != layer.W.shape:
            return False
        kept = (found == layer.W).all(dim=1) | (found == 0).all(dim=1)
        return bool(kept.all())

    return audit_true(layers, right, family="small whole layers, then random ones")


def audit_pooled_gain(layers: Iterable[PooledLayer], *, repeats: bool) -> Finding:
    """Test that max-pooling raises no singular value.

    Args:
        layers: The layers.
        repeats: Allow the factor ``sqrt(m)``, m the number of windows that take the same row.

    Returns:
        The finding; relative slack of ``sigma_k(induced) <= sqrt(m) sigma_k(W)``.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            mine = torch.linalg.svdvals(layer.induced())
            whole = torch.linalg.svdvals(layer.W)[: len(mine)]
            mine = mine[: len(whole)]
            factor = layer.repeats**0.5 if repeats else 1.0
            slack = float((factor * whole - mine).min() / whole.amax().clamp(min=1e-300))
            shown = {
                **layer.description,
                "largest singular value": float(mine[0]),
                "that of W": float(whole[0]),
            }
            yield slack, layer.size, shown

    return collect(cases(), tolerance=1e-10, family="small whole layers, then random ones")


def audit_selection_product(count: int, seed: int, *, zeroed: bool) -> Finding:
    """Test ``J = S_l W_l ... S_1 W_1`` for two layers with ReLU, then max-pooling.

    Args:
        count: How many networks.
        seed: Seed.
        zeroed: Count only factors that are W with rows set to zero.

    Returns:
        The finding; automatic differentiation against the product.
    """
    g = torch.Generator().manual_seed(seed)

    def cases() -> Iterator[Case]:
        for number in range(count):
            n = 1 + number % 4
            first = torch.randn(4, n, generator=g, dtype=torch.float64)
            x = torch.randn(n, generator=g, dtype=torch.float64)
            hidden = PooledLayer(first, x, 2, 2)
            second = torch.randn(3, 2, generator=g, dtype=torch.float64)

            def run(z: Tensor, layer: PooledLayer = hidden, top: Tensor = second) -> Tensor:
                return (top @ layer.apply(z).clamp(min=0)).clamp(min=0)

            pooled = hidden.apply(x)
            gate = (second @ pooled.clamp(min=0) > 0).double()[:, None]
            lower = (pooled > 0).double()[:, None] * (hidden.selection() @ first)
            J = torch.autograd.functional.jacobian(run, x)
            error = float((J - gate * second @ lower).abs().max())
            wrong_form = zeroed and lower.shape != first.shape
            shown = {"W_1": list(first.shape), "factor": list(lower.shape)}
            yield -1.0 if wrong_form else -error, (n,), shown

    return collect(cases(), tolerance=1e-12, family="ReLU and max-pooling in turns")
