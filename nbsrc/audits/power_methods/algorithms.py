"""The steps of projected gradient ascent: equations (15), (17), (18) and (108)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn

from nbsrc.audits.finding import Case as Result
from nbsrc.audits.finding import collect
from nbsrc.audits.power_methods.cases import Case
from nbsrc.audits.power_methods.iteration import (
    input_gradient,
    label_loss,
    literal_pga,
    logit_norm,
)
from nbsrc.claims import Finding
from nbsrc.operator_norm import dual_vector, holder_conjugate, project_ball, uniform_in_ball

__all__ = [
    "audit_direction",
    "audit_feasible",
    "audit_scale",
    "audit_uniform",
    "audit_update",
    "vertex_argmax",
]


def vertex_argmax(z: Tensor, p: float) -> Tensor:
    """Return the largest ``v.z`` over the unit ball by trying its corners (p = 1, inf), or points.

    Args:
        z: ``[n]``, n at most 12 for p = inf.
        p: 1 or infinity.

    Returns:
        The best corner; the first of equal ones.
    """
    n = len(z)
    eye = torch.eye(n, dtype=z.dtype)
    if p == 1:
        corners = torch.cat([eye, -eye])
    else:
        bits = torch.arange(2**n)[:, None] >> torch.arange(n) & 1
        corners = 1.0 - 2.0 * bits.to(z.dtype)
    return corners[(corners @ z).argmax()]


def audit_direction(
    vectors: Iterable[Tensor], p: float, formula: Callable[[Tensor, float], Tensor] = dual_vector
) -> Finding:
    """Test that the closed form of (17) is a maximiser of (15), and the only one if it is unique.

    Args:
        vectors: Gradients.
        p: The order.
        formula: The closed form.

    Returns:
        The finding; minus the excess of the p-norm over 1, or what is missing to the maximum.
    """

    def results() -> Iterator[Result]:
        for z in vectors:
            v = formula(z, p)
            best = torch.linalg.vector_norm(z, holder_conjugate(p))
            if p != 2:
                corner = vertex_argmax(z, p)
                best = corner @ z
                unique = (p == 1 and int((z.abs() == z.abs().max()).sum()) == 1) or (
                    p == math.inf and bool((z != 0).all())
                )
                apart = float((v - corner).abs().max()) if unique else 0.0
            else:
                apart = float((v - z / best).abs().max())
            large = float(torch.linalg.vector_norm(v, p)) - 1
            missing = float(best - v @ z) / float(best)
            error = max(large, missing, apart)
            error = math.inf if math.isnan(error) else error
            size = (len(z), int(z.abs().sum()))
            yield -min(error, 1.0), size, {"z": z.tolist(), "p": p, "v": v.tolist()}

    return collect(results(), tolerance=1e-12, family="gradients with ties, zeros and signs")


def audit_feasible(cases: Iterable[Case], p: float, seed: int, *, clip: bool = True) -> Finding:
    """Test that all iterates of (15) lie in the ball, from uniform starts, for several steps.

    Args:
        cases: The cases.
        p: The order.
        seed: Seed of the starts.
        clip: Whether the projection is made.

    Returns:
        The finding; the slack is 1 minus the largest ``||x_k - x||_p / eps``.
    """
    g = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Result]:
        for case in cases:
            eps = torch.full((3,), 2 * case.radius(p), dtype=torch.float64)
            x = case.x.expand(3, *case.x.shape[1:])
            offsets = (uniform_in_ball(x, eps, p, g) - x).flatten(1)
            alpha = eps * torch.tensor([0.2, 2.0, 1e3], dtype=torch.float64)
            loss = logit_norm(2.0)
            kept = literal_pga(case.net, x, eps, p, loss, alpha, 4, offsets) if clip else (
                literal_pga(case.net, x, eps, p, loss, alpha, 4, offsets,
                            project=lambda y, *_: y)
            )  # fmt: skip
            largest = float(torch.linalg.vector_norm(kept, p, dim=-1).amax())
            yield 1 - largest, case.size, {**case.description, "p": p, "largest": largest}

    return collect(results(), tolerance=1e-9, family="uniform starts, steps 0.2, 2 and 1000 eps")


def audit_uniform(p: float, n: int, count: int, seed: int, *, squeeze: float = 1.0) -> Finding:
    """Test ``x_0 ~ U``: ``||x_0 - x||_p^n`` is uniform, and so is every orthant.

    Args:
        p: The order.
        n: Inputs.
        count: Draws.
        seed: Seed.
        squeeze: The draws are multiplied by this, for a control.

    Returns:
        The finding; the slack is the critical Kolmogorov distance (1e-4) minus the distance.
    """
    g = torch.Generator().manual_seed(seed)
    zero = torch.zeros(count, n, dtype=torch.float64)
    draws = squeeze * uniform_in_ball(zero, 1.0, p, g)
    levels = torch.linalg.vector_norm(draws, p, dim=-1).pow(n).sort().values
    grid = torch.arange(1, count + 1, dtype=torch.float64) / count
    distance = float((levels - grid).abs().amax())
    share = float((draws > 0).double().mean(0).sub(0.5).abs().amax())
    slack = min(2.3 / math.sqrt(count) - distance, 2.3 / math.sqrt(count) - share)
    family = f"{count} draws in {n} dimensions, p = {p:g}"
    return collect([(slack, (n,), {"p": p, "distance": distance})], tolerance=0, family=family)


def audit_scale(cases: Iterable[Case], p: float, seed: int, *, sign: float = 1.0) -> Finding:
    """Test (18): v from the chain rule is that of (17), whatever positive number u is scaled by.

    Args:
        cases: The cases.
        p: The order.
        seed: Seed of labels and scales.
        sign: -1 to scale by negative numbers.

    Returns:
        The finding.
    """
    g = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Result]:
        for case in cases:
            points = case.x.clone().requires_grad_()
            logits = case.net(points).flatten(1)
            label = torch.randint(0, logits.shape[1], (1,), generator=g)
            if logits.shape[1] == 1:
                continue
            z = logits.detach().requires_grad_()
            u = torch.autograd.grad(nn.functional.cross_entropy(z, label), z)[0]
            direct = input_gradient(case.net, z, case.x, label_loss(label))
            if not direct.any():
                continue
            wanted = dual_vector(direct, p)
            scale = sign * 10 ** float(torch.rand((), generator=g) * 12 - 6)
            for vector in (u / u.norm(), scale * u):
                back = torch.autograd.grad(logits, points, vector, retain_graph=True)[0].flatten(1)
                error = float((dual_vector(back, p) - wanted).abs().amax())
                yield -error, case.size, {**case.description, "p": p, "scale": scale}

    return collect(results(), tolerance=1e-12, family="cross-entropy, scales 1e-6 to 1e6")


def audit_update(cases: Iterable[Case], p: float, q: float, *, flip: bool = False) -> Finding:
    """Test (108) against autograd, in balls that leave the cell, with steps eps/2.

    Args:
        cases: The cases.
        p: The order of the ball.
        q: The order of the loss.
        flip: Whether u is taken as ``f(x) - f(x_{k-1})``.

    Returns:
        The finding.
    """

    def printed(case: Case, eps: Tensor, offsets: Tensor) -> Iterator[Tensor]:
        center = case.x.flatten(1)
        now = center + offsets
        clean = case.net(case.x).flatten(1).detach()
        yield now
        for _ in range(4):
            points = now.reshape(-1, *case.x.shape[1:]).requires_grad_()
            logits = case.net(points).flatten(1)
            change = (clean - logits if flip else logits - clean).detach()
            raw = torch.autograd.grad(logits, points, _formula(change, holder_conjugate(q)))[0]
            ahead = now.detach() + eps[:, None] / 2 * _formula(raw.flatten(1), p)
            now = project_ball(ahead, center.expand_as(ahead), eps, p)
            yield now

    def results() -> Iterator[Result]:
        for case in cases:
            starts = case.starts(p)
            if not len(starts):
                continue
            eps = torch.full((len(starts),), 5 * case.radius(p), dtype=torch.float64)
            x = case.x.expand(len(starts), *case.x.shape[1:])
            offsets = eps[:, None] * starts
            one = literal_pga(case.net, x, eps, p, logit_norm(q), eps / 2, 4, offsets)
            two = torch.stack(list(printed(case, eps, offsets))) - x.flatten(1)
            error = float((one - two / eps[:, None]).detach().abs().amax())
            yield -error, case.size, {**case.description, "p": p, "q": q}

    return collect(results(), tolerance=1e-9, family="balls of 4.5 radii, step eps / 2, 4 steps")


def _formula(z: Tensor, p: float) -> Tensor:
    """Return (16) for the rows that are not 0, and 0 for the others."""
    still = (z == 0).all(-1, keepdim=True)
    found = dual_vector(torch.where(still, torch.ones_like(z), z), p)
    return torch.where(still, torch.zeros_like(z), found)
