r"""Gradient and Hessian of the cross-entropy loss on an affine piece, Lemma 4.1, without n x n.

Take any class c with probability :math:`p_c>0`, :math:`q=1-p_c`, shares :math:`\pi_j=p_j/q`,
:math:`D=[v_j-v_c]_{j\ne c}` and the unit vector :math:`s=\sqrt\pi`. Then

.. math:: H = q\,BB^\top,\quad B = D\,\mathrm{diag}(s)\,(I-(1-\sqrt{p_c})\,ss^\top),
    \qquad V(p-e_c) = \frac{q}{\sqrt{p_c}}\,B s,

so that :math:`q\,B^\top B`, of size K - 1, has the nonzero eigenvalues of H.
Proof: :math:`H=D(\mathrm{diag}(q\pi)-q^2\pi\pi^\top)D^\top`, and
:math:`(I-(1-\sqrt{p_c})ss^\top)^2=I-q\,ss^\top`. Nothing here cancels as :math:`p_c\to1`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nbsrc.perturbation._arguments import (
    Labels,
    check_labels,
    check_probabilities,
    check_shapes,
)
from nbsrc.perturbation.softmax import class_differences, columns, other_classes, pick

__all__ = [
    "HessianSpectrum",
    "curvature_factor",
    "loss_gradient",
    "loss_hessian",
    "loss_hessian_eigenvectors",
    "loss_hessian_spectrum",
]


@dataclass(frozen=True)
class HessianSpectrum:
    r"""The spectrum of the loss Hessian, a positive semidefinite matrix of rank at most K - 1.

    Attributes:
        eigenvalues: The ``min(n, K - 1)`` largest ones in descending order, ``[..., m]``; the
            others are 0.
        dimension: n, the number of all eigenvalues.
    """

    eigenvalues: Tensor
    dimension: int

    @property
    def spectral_norm(self) -> Tensor:
        r""":math:`\|H\|_2`, ``[...]``."""
        return self.eigenvalues[..., 0]

    @property
    def frobenius_norm(self) -> Tensor:
        r""":math:`\|H\|_F`, ``[...]``."""
        norm: Tensor = torch.linalg.vector_norm(self.eigenvalues, dim=-1)
        return norm

    @property
    def trace(self) -> Tensor:
        r""":math:`\sum_{i<j}p_ip_j\|v_i-v_j\|_2^2`, ``[...]``."""
        return self.eigenvalues.sum(-1)

    def full(self) -> Tensor:
        """Return all n eigenvalues in descending order.

        Returns:
            ``[..., n]``.
        """
        missing = self.dimension - self.eigenvalues.shape[-1]
        return torch.nn.functional.pad(self.eigenvalues, (0, missing))


def loss_gradient(p: Tensor, V: Tensor, y: Labels) -> Tensor:
    r"""The input gradient of the cross-entropy loss, as a column.

    .. math:: \nabla = V(p-\mathbf y) = \sum_{j\ne y}p_j(v_j-v_y)

    Guo et al., Lemma 4.1, equation (15). The sum on the right does not cancel.

    Args:
        p: Class probabilities ``[..., K]``.
        V: Local linear map ``[..., n, K]``.
        y: Labels ``[...]``, or one integer for all.

    Returns:
        ``[..., n]``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a shape or label is wrong, or p is no distribution.

    Example:
        >>> p = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
        >>> V = torch.tensor([[1.0, 3.0, 0.0]], dtype=torch.float64)
        >>> loss_gradient(p, V, 0)
        tensor([0.2500], dtype=torch.float64)
    """
    p = check_probabilities(p)
    V = check_shapes("p", p, V)
    labels = check_labels(y, p)
    D = class_differences(V, labels)
    return (D @ other_classes(p, labels).unsqueeze(-1)).squeeze(-1)


def loss_hessian_spectrum(p: Tensor, V: Tensor) -> HessianSpectrum:
    r"""The exact spectrum of the loss Hessian from an eigenproblem of size K - 1.

    Guo et al., Lemma 4.1: :math:`H = V(\mathrm{diag}(p)-pp^\top)V^\top`, with the outer product
    (the printed :math:`p^\top p` is a number). The paper expects no analytic expression for more
    than two classes; see the module's docstring for the reduction. Differentiable.

    Args:
        p: Class probabilities ``[..., K]``.
        V: Local linear map ``[..., n, K]``.

    Returns:
        The spectrum; absolute errors are a few units of rounding of :math:`\|H\|_2`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a shape is wrong, or p is no distribution.

    Example:
        >>> p = torch.tensor([0.5, 0.25, 0.25], dtype=torch.float64)
        >>> V = torch.tensor([[1.0, -1.0, 0.0], [0.0, 0.0, 2.0]], dtype=torch.float64)
        >>> found = loss_hessian_spectrum(p, V)
        >>> [round(float(value), 6) for value in found.full()]
        [0.847597, 0.589903]
    """
    p = check_probabilities(p)
    V = check_shapes("p", p, V)
    top = p.argmax(dim=-1)
    q, shares, label = _shares(p, top)
    D = V - columns(V, top.unsqueeze(-1))
    gram = other_classes(other_classes((D.mT @ D), top.unsqueeze(-1)).mT, top.unsqueeze(-1))
    s = shares.sqrt().unsqueeze(-2)
    gram = s.mT * gram * s  # of D diag(s); the rank-one factor is applied on both sides
    root = 1 - label.sqrt().unsqueeze(-1).unsqueeze(-1)
    gram = gram - root * (gram @ s.mT) @ s
    gram = gram - root * s.mT @ (s @ gram)
    count = min(V.shape[-2], V.shape[-1] - 1)
    values: Tensor = torch.linalg.eigvalsh(gram).flip(-1)[..., :count]
    return HessianSpectrum(q.unsqueeze(-1) * values.clamp_min(0), V.shape[-2])


def loss_hessian_eigenvectors(p: Tensor, V: Tensor) -> tuple[Tensor, Tensor]:
    r"""The nonzero eigenvalues of the loss Hessian with their eigenvectors.

    Args:
        p: Class probabilities ``[..., K]``.
        V: Local linear map ``[..., n, K]``.

    Returns:
        Eigenvalues ``[..., m]`` in descending order and orthonormal eigenvectors ``[..., n, m]``,
        with ``m = min(n, K - 1)``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a shape is wrong, or p is no distribution.

    Example:
        >>> p = torch.tensor([0.5, 0.5], dtype=torch.float64)
        >>> V = torch.tensor([[3.0, 0.0], [0.0, -4.0]], dtype=torch.float64)
        >>> values, vectors = loss_hessian_eigenvectors(p, V)
        >>> round(float(values), 9), [round(float(u), 9) for u in vectors.abs().flatten()]
        (6.25, [0.6, 0.8])
    """
    q, B = curvature_factor(p, V)
    U, singular, _ = torch.linalg.svd(B, full_matrices=False)
    return q.unsqueeze(-1) * singular**2, U


def loss_hessian(p: Tensor, V: Tensor) -> Tensor:
    r"""The Hessian itself, :math:`H = V(\mathrm{diag}(p)-pp^\top)V^\top`, for small n.

    Args:
        p: Class probabilities ``[..., K]``.
        V: Local linear map ``[..., n, K]``.

    Returns:
        ``[..., n, n]``.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a shape is wrong, or p is no distribution.
    """
    q, B = curvature_factor(p, V)
    return q.unsqueeze(-1).unsqueeze(-1) * (B @ B.mT)


def curvature_factor(p: Tensor, V: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return q and B of the module's docstring, with c the most probable class.

    Args:
        p: Class probabilities ``[..., K]``.
        V: Local linear map ``[..., n, K]``.

    Returns:
        q ``[...]`` and B ``[..., n, K - 1]`` with :math:`H = q\,BB^\top`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a shape is wrong, or p is no distribution.
    """
    p = check_probabilities(p)
    V = check_shapes("p", p, V)
    top = p.argmax(dim=-1)
    q, shares, label = _shares(p, top)
    return q, factor_from_shares(shares, label, class_differences(V, top))


def _shares(p: Tensor, top: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return q, the shares of the other classes, and the probability of the class ``top``."""
    rivals = other_classes(p, top)
    q = rivals.sum(-1)
    tiny = torch.finfo(p.dtype).tiny  # the square root has no derivative at 0
    shares = rivals.clamp_min(tiny) / q.clamp_min(tiny).unsqueeze(-1)
    return q, shares, pick(p, top)


def factor_from_shares(shares: Tensor, label: Tensor, D: Tensor) -> Tensor:
    r"""Return :math:`B = D\,\mathrm{diag}(s)(I-(1-\sqrt{p_c})ss^\top)` with :math:`s=\sqrt\pi`.

    Args:
        shares: :math:`\pi`, ``[..., K - 1]``.
        label: :math:`p_c`, ``[...]``.
        D: Differences of columns ``[..., n, K - 1]``.

    Returns:
        ``[..., n, K - 1]``.
    """
    s = shares.sqrt().unsqueeze(-2)
    scaled = D * s
    root = label.sqrt().unsqueeze(-1).unsqueeze(-1)
    return scaled - (1 - root) * (scaled @ s.mT) @ s
