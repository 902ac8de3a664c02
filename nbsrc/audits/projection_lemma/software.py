"""What two releases of cleverhans do in a step of an attack: a few lines of our own, and records.

The paper cites the report of release 2.0.0. The oldest release that pip lists is 2.1.0. We took the
functions ``fgm`` and ``clip_eta`` out of the wheel of 2.1.0 and ``optimize_linear`` out of that of
3.0.1, and ran them with numpy in the place of TensorFlow; :data:`RECORDED` has what they returned.
Release 2.1.0 divides the gradient by its norm of the same order, for orders 1 and 2, takes the sign
for order infinity, and brings points into the l1 and l2 balls by scaling. Release 3.0.1 spreads
weight over the entries of largest size for order 1, and refuses order 1 in iterated attacks and in
its ``clip_eta``. For order 2 it leaves gradients shorter than 1e-6 shorter than 1.
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

__all__ = [
    "RECORDED",
    "WHEELS",
    "audit_recorded",
    "audit_scaling_is_projection",
    "audit_step",
    "clip_by_scaling",
    "step_2_1",
    "step_3_0",
]

#: The files that were read, by release: SHA-256 of the wheels.
WHEELS = {
    "2.1.0": "9d89b8bca37e1a6ef38a420dcec4564d46a00b3605d4cb01e17436ecb623f83e",
    "3.0.1": "e9ecc5815788017a5de9f562781f47b78d6151f2a15fe4d2f58ae185a16ab215",
}

Numbers = tuple[float, ...]
#: Order, gradient, step of 2.1.0, the gradient clipped to radius 1 by 2.1.0, step of 3.0.1.
RECORDED: tuple[tuple[float, Numbers, Numbers, Numbers, Numbers], ...] = (
    (1, (1, 2), (0.333333, 0.666667), (0.333333, 0.666667), (0, 1)),
    (1, (2, -2), (0.5, -0.5), (0.5, -0.5), (0.5, -0.5)),
    (1, (-3, 4), (-0.428571, 0.571429), (-0.428571, 0.571429), (0, 1)),
    (1, (0, -1), (0, -1), (0, -1), (0, -1)),
    (1, (1, -2, 2), (0.2, -0.4, 0.4), (0.2, -0.4, 0.4), (0, -0.5, 0.5)),
    (2, (-3, 4), (-0.6, 0.8), (-0.6, 0.8), (-0.6, 0.8)),
    (2, (3, 0, -3), (0.707107, 0, -0.707107), (0.707107, 0, -0.707107), (0.707107, 0, -0.707107)),
    (math.inf, (1, 2), (1, 1), (1, 1), (1, 1)),
    (math.inf, (3, 0, -3), (1, 0, -1), (1, 0, -1), (1, 0, -1)),
)


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


def audit_recorded(
    step_2: Callable[[Tensor, float], Tensor] = step_2_1,
    step_3: Callable[[Tensor, float], Tensor] = step_3_0,
) -> Finding:
    """Test that our lines give what the releases' own functions gave, to the six digits kept.

    Args:
        step_2: The step of release 2.1.0.
        step_3: The step of release 3.0.1.

    Returns:
        The finding; minus the largest difference beyond rounding.
    """

    def results() -> Iterator[Case]:
        for p, z, *theirs in RECORDED:
            g = torch.tensor([z], dtype=torch.float64)
            ours = [step_2(g, p)[0], clip_by_scaling(g, p, 1.0)[0], step_3(g, p)[0]]
            error = max(
                float((one - torch.tensor(two, dtype=torch.float64)).abs().max())
                for one, two in zip(ours, theirs, strict=True)
            )
            shown = {"p": "inf" if p == math.inf else p, "g": list(z), "recorded": theirs}
            yield min(0.0, 1e-6 - error), (len(z),), shown

    return collect(results(), tolerance=1e-12, family="outputs of releases 2.1.0 and 3.0.1")


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
