"""Section 7.1: the induced norm, the bound (21), and the perturbations that attain it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.projection_lemma.regression import Problem, induced, perturbation
from nbsrc.claims import Finding

__all__ = ["audit_bound", "audit_kernel", "audit_perturbation", "audit_seminorm"]


def audit_seminorm(problems: Sequence[Problem], seed: int, *, definite: bool) -> Finding:
    """Test that (20), over w that are not 0, is a semi-norm whose maximum is attained; or a norm.

    Args:
        problems: The norms; X and a random matrix are measured.
        seed: Seed.
        definite: Whether only the zero matrix may have norm 0.

    Returns:
        The finding; relative slack of triangle inequality and ratios, -1 if definiteness fails.
    """
    generator = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Case]:
        for x in problems:
            n, d = x.X.shape
            B = torch.randint(-1, 2, (n, d), generator=generator).double()
            whole = torch.randn(60, d, generator=generator, dtype=torch.float64)
            a, b, both = induced(x, x.X), induced(x, B), induced(x, x.X + B)
            ratios = x.h(whole @ B.T) / torch.linalg.vector_norm(whole, x.p, dim=-1)
            scale = max(a + b, 1.0)
            slack = min(a + b - both, b - float(ratios.max())) / scale
            slack = min(slack, -abs(induced(x, -2 * B) - 2 * b))
            if definite and a == 0 and bool(x.X.any()):
                slack = -1.0
            norms = {k: x.description[k] for k in ("p", "q", "M") if k in x.description}
            yield slack, (n * d, n, int((x.X < 0).sum())), {**norms, "A": x.X.tolist(), "norm": a}

    return collect(results(), tolerance=1e-10, family="norms, semi-norms, matrices")


def audit_bound(
    problems: Sequence[Problem], seed: int, *, factor: float = 1.0, one_sided: bool = False
) -> Finding:
    """Test both inequalities of (21) for random perturbations on the boundary of U and inside.

    Args:
        problems: The problems.
        seed: Seed.
        factor: Multiplies the perturbation; above 1 it leaves U.
        one_sided: Replace h by the largest positive entry, which has no symmetry.

    Returns:
        The finding; relative slack.
    """
    generator = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Case]:
        for x in problems:
            h = (lambda u: (u.clamp(min=0)).amax(-1)) if one_sided else x.h
            for trial in range(4):
                D = torch.randn(x.X.shape, generator=generator, dtype=torch.float64)
                if trial == 0:
                    D = -perturbation(x, 1) if float(x.h(x.residual)) > 0 else D
                size = induced(x, D)
                if size > 0:  # otherwise h does not see D, and every multiple of it is in U
                    D = D * factor * x.budget / size * (1.0 if trial < 3 else 0.5)
                r, moved = x.residual, D @ x.w
                left, middle = float(h(r - moved)), float(h(r) + h(moved))
                right = float(h(r)) + x.budget * x.g
                slack = min(middle - left, right - middle) / max(1.0, right, middle)
                shown = {"Delta": D.tolist(), "sides": [left, middle, right]}
                yield slack, x.size, {**x.description, **shown}

    return collect(results(), tolerance=1e-10, family="problems and perturbations of U")


def audit_perturbation(problems: Sequence[Problem], sign: int) -> Finding:
    """Test (22): norm lambda, and both inequalities of (21) equalities.

    Args:
        problems: Problems; those with h(r) = 0 are another statement's and left out.
        sign: +1 as printed or scanned, -1 repaired.

    Returns:
        The finding; minus the largest relative error.
    """

    def results() -> Iterator[Case]:
        for x in problems:
            r = x.residual
            if float(x.h(r)) < 1e-9:
                continue
            D = perturbation(x, sign)
            moved = D @ x.w
            value, reach = float(x.h(r - moved)), float(x.h(moved))
            wanted = float(x.h(r)) + x.budget * x.g
            errors = (wanted - value, reach - x.budget * x.g, induced(x, D) - x.budget)
            shown = {"Delta": D.tolist(), "h": value, "bound": wanted}
            yield -max(map(abs, errors)) / max(1.0, wanted), x.size, {**x.description, **shown}

    return collect(results(), tolerance=1e-10, family="problems with h(r) > 0")


def audit_kernel(
    problems: Sequence[Problem], length: float = 1.0, *, any_r: bool = False
) -> Finding:
    """Test: if h(r) = 0, every u with h(u) = 1 gives an optimal perturbation ``lambda u v^T``.

    Args:
        problems: Problems with h not identically 0; y is changed so that h(r) = 0.
        length: h(u).
        any_r: Keep y, so that h(r) need not be 0.

    Returns:
        The finding; minus the largest relative error of value and norm, both signs.
    """

    def results() -> Iterator[Case]:
        for number, x in enumerate(problems):
            if not x.M.any():
                continue
            kernel = torch.linalg.svd(x.M).Vh[-1]
            inside = kernel if float(x.h(kernel)) < 1e-12 else torch.zeros_like(kernel)
            y = x.y if any_r else x.X @ x.w + 3 * inside
            moved = Problem(x.X, y, x.w, x.M, x.p, x.q, x.budget)
            units = torch.eye(len(y)).double()
            u = units[number % len(y)] + 0.5 * inside
            u = u if float(x.h(u)) > 0 else x.M[x.M.any(1)][0]
            u = u * length / x.h(u)
            bound = float(x.h(moved.residual)) + x.budget * x.g
            for sign in (1, -1):
                D = perturbation(moved, sign, direction=u)
                value = float(x.h(moved.residual - D @ x.w))
                error = max(abs(value - bound), abs(induced(x, D) - x.budget))
                shown = {"u": u.tolist(), "h": value, "bound": bound}
                yield -error / max(1.0, bound), x.size, {**moved.description, **shown}

    return collect(results(), tolerance=1e-10, family="r = 0, and r in the kernel of a semi-norm")
