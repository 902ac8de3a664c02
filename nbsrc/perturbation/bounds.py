r"""Proposition 4.1 of Guo et al.: lower bounds of the K-class Taylor perturbation.

All have the form of Lemma 3.1's lower bound, :math:`b(G,h)=2\xi/(G+\sqrt{G^2+2h\xi})`, with upper
bounds G of :math:`\|\nabla\|_2` and h of :math:`\|H\|_2`; b decreases in both. Below
:math:`\sigma=\|V_c\|_2` is the spectral norm of V with its mean column removed and
:math:`S=\|V_c\|_F^2=\frac1K\sum_{i<j}\|v_i-v_j\|^2`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from nbsrc.perturbation._arguments import Labels, check_labels, check_probabilities, check_shapes
from nbsrc.perturbation.lemma31 import lemma31_bounds
from nbsrc.perturbation.softmax import columns, other_classes, pick

__all__ = [
    "PAIRS",
    "Prop41Bounds",
    "centred",
    "cross_lipschitz_squared",
    "gradient_hessian_constant",
    "prop41_bounds",
]

#: Readings of the sum in the definition of the cross-Lipschitz functional.
PAIRS = ("ordered", "unordered")


@dataclass(frozen=True)
class Prop41Bounds:
    r"""Lower bounds of :math:`\|r^*\|_2`, each ``[...]``.

    Attributes:
        eq16: Equation (16) as printed, ``b(2q F, K(K-1) p q nu^2 / 2)`` with :math:`F=\|V\|_F`;
            not a bound for every K, see :func:`prop41_bounds`.
        eq17: Equation (17) as printed, ``b(2q F, 2 p q F^2)``.
        repaired16: ``b(2q F, 2 p q S)``, in which K(K-1) is replaced by 2K for the sum over
            ordered pairs: the smallest count that is true, for every K.
        sharpened: ``b(sqrt(2) q sigma, 2 p q sigma^2)``, valid wherever the label is an arg-max;
            equal to Proposition 3.1 for two classes.
        low_confidence: ``b(sqrt(q w) sigma, p w sigma^2)`` with ``w = min(1, 2q)``: the same for
            p >= 1/2, larger below.
        upper: An upper bound, Proposition 3.1 with nu replaced by :math:`\|\nabla\|_2/q`.
    """

    eq16: Tensor
    eq17: Tensor
    repaired16: Tensor
    sharpened: Tensor
    low_confidence: Tensor
    upper: Tensor


def prop41_bounds(
    p: Tensor, V: Tensor, y: Labels, *, pairs: str = "ordered", xi: Tensor | None = None
) -> Prop41Bounds:
    r"""Equations (16) and (17) as printed, repaired and sharpened.

    Proofs. (a) :math:`p-e_y\perp1` and :math:`\|p-e_y\|^2=q^2+\sum_{j\ne y}p_j^2\le
    q(q+\min(p,q))=q\,w` for an arg-max label, so :math:`\|\nabla\|\le\sqrt{qw}\,\sigma`; without
    arg-max still :math:`\le\sqrt2q\sigma`. (b) :math:`H=V_cCV_c^\top` with
    :math:`C=\mathrm{diag}(p)-pp^\top`, and :math:`\|C\|\le\max_i\min(p_i,2p_i(1-p_i))=p\,w` by
    Gershgorin and :math:`C\preceq\mathrm{diag}(p)`. (c) By the Cauchy-Schwarz inequality
    :math:`H\succeq\frac pq\nabla\nabla^\top`, which gives ``upper`` along the gradient.

    Equation (16) needs :math:`\|H\|_2\le\frac12K(K-1)pq\,\nu^2`, and (b) gives
    :math:`2pqS`: enough for K >= 3 if the sum runs over ordered pairs (:math:`\nu^2=2S/K`), and
    for K >= 5 if over unordered ones (:math:`\nu^2=S/K`). Below it fails for confident points.

    Args:
        p: Class probabilities ``[..., K]``; the label an arg-max.
        V: Local linear map ``[..., n, K]``.
        y: Labels ``[...]``, or one integer for all.
        pairs: ``"ordered"`` or ``"unordered"``, the sum in :math:`\nu^2`; used by ``eq16`` only.
        xi: Threshold minus loss, at least 0; ``log(K p_y)`` by default.

    Returns:
        The bounds; infinite where V has equal columns, where no perturbation is enough.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a shape or label is wrong, p is no distribution, ``pairs`` is unknown, or a
            label is not an arg-max.

    Example:
        >>> p = torch.tensor([0.9, 0.1], dtype=torch.float64)
        >>> V = torch.tensor([[1.0, -1.0]], dtype=torch.float64)
        >>> found = prop41_bounds(p, V, 0)
        >>> [round(float(bound), 4) for bound in (found.eq16, found.eq17, found.sharpened)]
        [1.4287, 1.1848, 1.335]
    """
    p = check_probabilities(p)
    V = check_shapes("p", p, V)
    labels = check_labels(y, p)
    K = p.shape[-1]
    label, q = pick(p, labels), other_classes(p, labels).sum(-1)
    if bool((label < p.amax(-1)).any()):
        raise ValueError("the label must be an arg-max of p, got a misclassified point")
    slack = torch.log1p(K * label - 1).clamp_min(0) if xi is None else xi
    nu2 = cross_lipschitz_squared(V, pairs)
    F2 = (V**2).sum((-2, -1))
    Vc = centred(V)
    S, sigma = (Vc**2).sum((-2, -1)), torch.linalg.matrix_norm(Vc, 2)
    G = gradient_norm(p, V, labels)
    w = (2 * q).clamp_max(1)

    def bound(gradient: Tensor, curvature: Tensor) -> Tensor:
        return lemma31_bounds(gradient, gradient, curvature, slack)[0]

    printed = 2 * q * F2.sqrt()
    return Prop41Bounds(
        eq16=bound(printed, K * (K - 1) * label * q * nu2 / 2),
        eq17=bound(printed, 2 * label * q * F2),
        repaired16=bound(printed, 2 * label * q * S),
        sharpened=bound(math.sqrt(2) * q * sigma, 2 * label * q * sigma**2),
        low_confidence=bound((q * w).sqrt() * sigma, label * w * sigma**2),
        upper=bound(G, label / q * G**2),
    )


def cross_lipschitz_squared(V: Tensor, pairs: str = "ordered") -> Tensor:
    r"""The cross-Lipschitz functional :math:`\nu^2=\sum\|v_i-v_j\|_2^2/K^2`.

    Guo et al., Section 4, after Hein & Andriushchenko (2017), who sum over all ordered pairs:
    :math:`2S/K`. Over pairs i < j it is :math:`S/K`. For K = 2 these are 1/2 and 1/4 of the
    binary :math:`\|v_+-v_-\|^2`.

    Args:
        V: Local linear map ``[..., n, K]``.
        pairs: ``"ordered"`` or ``"unordered"``.

    Returns:
        ``[...]``.

    Raises:
        ValueError: If ``pairs`` is neither.

    Example:
        >>> V = torch.tensor([[1.0, -1.0]])
        >>> float(cross_lipschitz_squared(V)), float(cross_lipschitz_squared(V, "unordered"))
        (2.0, 1.0)
    """
    if pairs not in PAIRS:
        raise ValueError(f"pairs must be 'ordered' or 'unordered', got {pairs!r}")
    spread: Tensor = (centred(V) ** 2).sum((-2, -1)) / V.shape[-1]
    return 2 * spread if pairs == "ordered" else spread


def centred(V: Tensor) -> Tensor:
    r"""Return :math:`V_c=V-\bar v1^\top`, V with its mean column removed.

    Args:
        V: ``[..., n, K]``.

    Returns:
        ``[..., n, K]``.
    """
    return V - V.mean(-1, keepdim=True)


def gradient_norm(p: Tensor, V: Tensor, labels: Tensor) -> Tensor:
    r"""Return :math:`\|\nabla\|_2` without checks.

    Args:
        p: ``[..., K]``.
        V: ``[..., n, K]``.
        labels: ``[...]``.

    Returns:
        ``[...]``.
    """
    gradient = ((V - columns(V, labels.unsqueeze(-1))) @ p.unsqueeze(-1)).squeeze(-1)
    norm: Tensor = torch.linalg.vector_norm(gradient, dim=-1)
    return norm


def gradient_hessian_constant(p_y: Tensor) -> Tensor:
    r"""The best c in :math:`H\succeq c\,\nabla\nabla^\top`, for any number of classes.

    .. math:: c = \frac{p_y}{1-p_y}

    With :math:`w_i=v_i-Vp`, :math:`\nabla=-w_y`, :math:`\sum_ip_iw_i=0` and a vector u,
    :math:`u^\top Hu=\sum_ip_i(u^\top w_i)^2\ge p_y(u^\top w_y)^2+\frac{(p_yu^\top w_y)^2}{1-p_y}`.
    Equality for two classes. So :math:`\frac12\|\nabla\|^2\le\|H\|_2`, equation (42), is
    guaranteed exactly for :math:`p_y\ge1/3`.

    Args:
        p_y: The label's probability, in (0, 1).

    Returns:
        c.

    Example:
        >>> float(gradient_hessian_constant(torch.tensor(0.75)))
        3.0
    """
    return p_y / (1 - p_y)
