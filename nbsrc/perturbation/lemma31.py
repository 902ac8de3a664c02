"""The bounds of Lemma 3.1, for any loss with a positive semidefinite Hessian."""

from __future__ import annotations

import torch
from torch import Tensor

from nbsrc.perturbation._arguments import Real, as_real

__all__ = ["lemma31_bounds"]


def lemma31_bounds(
    gradient_norm: Real, alignment: Real, curvature: Real, xi: Real
) -> tuple[Tensor, Tensor]:
    r"""The lower and upper bound of Lemma 3.1, free of cancellation.

    .. math::
        b(G) = \frac{G}{h}\Big(\sqrt{1+2h\xi/G^2}-1\Big) = \frac{2\xi}{G+\sqrt{G^2+2h\xi}}

    at :math:`G=\|\nabla\|_2` and at :math:`G=|\nabla^\top u|`, with :math:`h=\|H\|_2` and u the
    leading eigenvector (Moosavi-Dezfooli et al. 2019; Guo et al., equations (6) and (33)). The
    second form is the limit of the first where G or h is 0.

    Args:
        gradient_norm: :math:`\|\nabla\|_2`, at least 0.
        alignment: :math:`|\nabla^\top u|`, at least 0.
        curvature: :math:`\|H\|_2`, at least 0.
        xi: Threshold minus loss, at least 0.

    Returns:
        The two bounds; infinite where gradient and curvature are 0 and xi is not.

    Raises:
        TypeError: If an argument is no real number or floating-point tensor.
        ValueError: If an argument is negative.

    Example:
        >>> [float(bound) for bound in lemma31_bounds(1.0, 0.0, 2.0, 1.0)]
        [0.6180339887498948, 1.0]
    """
    h = as_real("curvature", curvature, minimum=0.0)
    slack = as_real("xi", xi, minimum=0.0)

    def bound(G: Tensor) -> Tensor:
        below = G + torch.sqrt(G**2 + 2 * h * slack)
        return torch.where(slack == 0, torch.zeros_like(below), 2 * slack / below)

    lower = bound(as_real("gradient_norm", gradient_norm, minimum=0.0))
    return lower, bound(as_real("alignment", alignment, minimum=0.0))
