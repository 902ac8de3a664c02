r"""Lower and upper bounds for the operator norms that are NP-hard to compute.

With :math:`c_1,\dots,c_n` the columns of J, both bounds are proven for every choice of the
positive weights a, b:

.. math::
    \|J\|_{\infty,2}^2 \le \sum_j b_j \cdot \lambda_{\max}\Big(\sum_j c_j c_j^\top / b_j\Big),
    \qquad
    \|J\|_{\infty,1} \le \sqrt{\textstyle\sum_i a_i \sum_j b_j}\
    \sigma_{\max}\big(\mathrm{diag}(a)^{-1/2} J\, \mathrm{diag}(b)^{-1/2}\big).

Proof: put :math:`t_j = b_j^{1/2} (b_j^{-1/2} t_j)` and :math:`s_i = a_i^{1/2} (a_i^{-1/2} s_i)`;
the vector of the :math:`b_j^{1/2} t_j` has squared length :math:`\sum_j b_j` for signs t.
The weights come from the relaxation that replaces signs by unit vectors, solved by coordinate
ascent; at its maximum the bounds are at most :math:`\sqrt{\pi/2}` times (Nesterov 1998), and
at most 1.783 times (Krivine 1977), the norm.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nbsrc.operator_norm.duality import lp_norm, printed_maximiser

__all__ = ["lower_bound", "upper_bound"]

#: Most columns whose signs are a start.
MOST_COLUMNS = 16


def lower_bound(J: Tensor, p: float, q: float, steps: int) -> Tensor:
    r"""A vector of the unit ball with a large gain, by power iterations (12) from several starts.

    The starts come from the rows of J, from its right singular vectors, and from the signs of its
    first columns (16 at most): the maximisers for these directions. With
    sign(0) = 1 the iterates stay corners of the ball, and the gain never falls.

    Args:
        J: ``[d, n]``.
        p: The order in the domain, 2 or infinity.
        q: The order in the co-domain, 1 or 2.
        steps: Power iterations.

    Returns:
        The best vector, ``[n]``, its p-norm at most 1 up to rounding.
    """
    singular = torch.linalg.svd(J, full_matrices=False).Vh
    v = _corner(torch.cat([J, singular, _signs(J[:, :MOST_COLUMNS]).mT @ J]), p)
    for _ in range(steps):
        u = J @ v.mT
        w = _corner((J.mT @ (_signs(u) if q == 1 else u)).mT, p)
        if torch.equal(w, v):
            break
        v = w
    gains = lp_norm(J @ v.mT, q, dim=0)
    return v[gains.argmax()]


def upper_bound(J: Tensor, p: float, q: float, steps: int) -> float:
    """A number that is at least the norm, up to rounding of its evaluation.

    Args:
        J: ``[d, n]``.
        p: The order in the domain, 2 or infinity.
        q: The order in the co-domain, 1 or 2.
        steps: Most sweeps of the ascent that finds the weights.

    Returns:
        The smallest of the bounds of all sweeps.
    """
    if p == 2:
        return upper_bound(J.mT, math.inf, 2, steps)
    if q == 1 and J.shape[0] > J.shape[1]:
        return upper_bound(J.mT, math.inf, 1, steps)
    J = J[:, (J != 0).any(0)]  # a column of zeros has no weight
    J = J[(J != 0).any(1)]
    if J.numel() == 0:
        return 0.0
    return _bilinear_bound(J, steps) if q == 1 else _quadratic_bound(J, steps)


def _bilinear_bound(J: Tensor, steps: int) -> float:
    """Bound ``max s^T J t``: unit vectors x_i, y_j in place of the signs."""
    x = torch.eye(len(J), dtype=J.dtype)
    best = math.inf
    for _ in range(steps):
        y, columns = _normalised(J.mT @ x)
        x, rows = _normalised(J @ y)
        a, b = _positive(rows), _positive(columns)
        gain = _largest_singular_value(J / (a.sqrt().unsqueeze(-1) * b.sqrt()))
        bound = gain * float((a.sum() * b.sum()).sqrt())
        if bound >= best * (1 - 1e-12):
            return min(bound, best)
        best = bound
    return best


def _quadratic_bound(J: Tensor, steps: int) -> float:
    """Bound ``max |J t|^2``: a positive semidefinite matrix M in place of the unit vector u u^T."""
    if J.shape[0] > J.shape[1]:  # the same lengths in fewer coordinates
        J = torch.linalg.qr(J).R
    M = torch.eye(len(J), dtype=J.dtype) / len(J)
    best = math.inf
    for _ in range(steps):
        b = _positive((J * (M @ J)).sum(0).clamp(min=0).sqrt())
        H = (J / b) @ J.mT
        bound = float((b.sum() * torch.linalg.eigvalsh(H)[-1]).sqrt())
        if bound >= best * (1 - 1e-12):
            return min(bound, best)
        best = bound
        M = H @ M @ H
        M = M / M.trace()
    return best


def _largest_singular_value(J: Tensor) -> float:
    gram = J @ J.mT if J.shape[0] <= J.shape[1] else J.mT @ J
    return float(torch.linalg.eigvalsh(gram)[-1].clamp(min=0).sqrt())


def _positive(weights: Tensor) -> Tensor:
    """Keep weights away from 0: the bounds hold for all positive ones."""
    return weights.clamp(min=1e-9 * float(weights.max()))


def _normalised(vectors: Tensor) -> tuple[Tensor, Tensor]:
    lengths = lp_norm(vectors, 2)
    return vectors / _positive(lengths).unsqueeze(-1), lengths


def _signs(z: Tensor) -> Tensor:
    return torch.where(z < 0, -1.0, 1.0).to(z.dtype)


def _corner(z: Tensor, p: float) -> Tensor:
    return _signs(z) if p == math.inf else printed_maximiser(z, 2)
