"""What two releases of cleverhans do in a step of an attack, in a few lines of our own.

Read in the releases 2.1.0 and 3.0.1 of the package index (2.0.0, which the paper names, is not
there): 2.1.0 divides the gradient by its norm of the same order, for orders 1 and 2, and takes the
sign for order infinity; 3.0.1 spreads weight over the entries of largest size for order 1. Both
project onto the l2 ball by scaling; 2.1.0 scales for order 1 as well, 3.0.1 refuses order 1 in
iterated attacks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.projection_lemma.cases import Batch
from nbsrc.audits.projection_lemma.maximiser import special_case
from nbsrc.claims import Finding
from nbsrc.operator_norm import project_ball

__all__ = ["audit_scaling_is_projection", "audit_step", "clip_by_scaling", "step_2_1", "step_3_0"]


def step_2_1(z: Tensor, p: float) -> Tensor:
    """Return the normalised gradient of release 2.1.0.

    Args:
        z: Gradients, ``[m, n]``, not zero.
        p: 1, 2 or infinity.

    Returns:
        ``[m, n]``.
    """
    return z.sign() if p == math.inf else z / torch.linalg.vector_norm(z, p, dim=-1, keepdim=True)


def step_3_0(z: Tensor, p: float) -> Tensor:
    """Return the optimal perturbation of release 3.0.1 (single steps for p = 1).

    Args:
        z: Gradients.
        p: 1, 2 or infinity.

    Returns:
        ``[m, n]``.
    """
    if p != 1:
        return step_2_1(z, p)
    tied = (z.abs() == z.abs().amax(-1, keepdim=True)).to(z.dtype)
    return z.sign() * tied / tied.sum(-1, keepdim=True)


def clip_by_scaling(d: Tensor, p: float, eps: float) -> Tensor:
    """Return how release 2.1.0 brings a perturbation into the ball.

    Args:
        d: Perturbations.
        p: 1, 2 or infinity.
        eps: The radius.

    Returns:
        ``[m, n]``.
    """
    if p == math.inf:
        return d.clamp(-eps, eps)
    length = torch.linalg.vector_norm(d, p, dim=-1, keepdim=True)
    clipped: Tensor = d * (eps / length.clamp(min=1e-12)).clamp(max=1)
    return clipped


def audit_step(batches: Sequence[Batch], step: Callable[[Tensor, float], Tensor]) -> Finding:
    """Test that a step is the maximiser (35).

    Args:
        batches: Gradients, p in {1, 2, inf}.
        step: The step.

    Returns:
        The finding; minus the largest difference.
    """

    def results() -> Iterator[Case]:
        for b in batches:
            ours, theirs = special_case(b.g, b.p), step(b.g, b.p)
            for i, s in enumerate((ours - theirs).abs().amax(-1).tolist()):
                shown = {"(35)": ours[i].tolist(), "step": theirs[i].tolist()}
                yield -s, b.size(i), {**b.description(i), **shown}

    return collect(results(), tolerance=1e-12, family="gradients, p = 1, 2 and inf")


def audit_scaling_is_projection(batches: Sequence[Batch]) -> Finding:
    """Test that the scaling into the ball is the orthogonal projection.

    Args:
        batches: Perturbations, p in {1, 2, inf}.

    Returns:
        The finding; minus the largest difference.
    """

    def results() -> Iterator[Case]:
        for b in batches:
            truth = project_ball(b.g, torch.zeros_like(b.g), 1.0, b.p)
            theirs = clip_by_scaling(b.g, b.p, 1.0)
            for i, s in enumerate((truth - theirs).abs().amax(-1).tolist()):
                shown = {"nearest": truth[i].tolist(), "scaled": theirs[i].tolist()}
                yield -s, b.size(i), {**b.description(i), **shown}

    return collect(results(), tolerance=1e-12, family="perturbations, p = 1, 2 and inf")
