"""Section 7.4: signs, targets and low temperature of the cross-entropy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import product

import torch
from torch import Tensor

from nbsrc.audits.finding import Case as Result
from nbsrc.audits.finding import collect
from nbsrc.claims import Finding
from nbsrc.operator_norm import CrossEntropy

__all__ = [
    "audit_gradient",
    "audit_loss",
    "audit_low_temperature",
    "audit_targeted_step",
    "flip_to_best_other",
    "logit_cases",
    "printed_flip",
    "without_ties",
]

#: Logits and a label.
Point = tuple[Tensor, int]


def logit_cases(count: int, seed: int) -> list[Point]:
    """Return small whole logits with all labels, and random ones with up to six classes.

    Args:
        count: Random ones.
        seed: Seed.

    Returns:
        Pairs of logits and label; ties are included.
    """
    g = torch.Generator().manual_seed(seed)
    found: list[Point] = []
    for d in (2, 3):
        for entries in product((0.0, 1.0, 2.0), repeat=d):
            found += [(torch.tensor(entries, dtype=torch.float64), y) for y in range(d)]
    for number in range(count):
        d = 2 + number % 5
        z = 3 * torch.randn(d, generator=g, dtype=torch.float64)
        found.append((z, int(torch.randint(0, d, (), generator=g))))
    return found


def without_ties(points: Iterable[Point]) -> list[Point]:
    """Return the points of which all logits differ.

    Args:
        points: Logits and labels.

    Returns:
        Those without ties.
    """
    return [(z, y) for z, y in points if len(z.unique()) == len(z)]


def _size(z: Tensor) -> tuple[int, ...]:
    whole = bool((z == z.round()).all())
    return 1 - whole, len(z), int(z.abs().sum())


def audit_loss(points: Iterable[Point], *, sign: float = -1.0) -> Finding:
    """Test (24) and (25) against torch: the loss is ``-z_y + log sum exp z`` and ``-log s_y``.

    Args:
        points: Logits and labels.
        sign: The sign of ``z_y``, for a control.

    Returns:
        The finding; relative to the size of the logits.
    """

    def results() -> Iterator[Result]:
        for z, y in points:
            true = torch.nn.functional.cross_entropy(z[None], torch.tensor([y]))
            printed = sign * z[y] + torch.log(torch.exp(z).sum())
            soft = torch.exp(z) / torch.exp(z).sum()
            errors = [printed - true, -torch.log(soft[y]) - true, (soft - z.softmax(0)).abs().max()]
            error = max(abs(float(e)) for e in errors) / (1 + float(z.abs().max()))
            yield -error, _size(z), {"z": z.tolist(), "y": y}

    return collect(results(), tolerance=1e-12, family="whole and random logits, ties included")


def audit_gradient(points: Iterable[Point], *, targeted: bool, sign: float = 1.0) -> Finding:
    """Test (26) or (27) against autograd of the loss, or of minus the target's loss.

    Args:
        points: Logits and labels (or targets).
        targeted: Whether (27) is tested.
        sign: -1 to leave the sign of (27), or turn that of (26), for a control.

    Returns:
        The finding.
    """

    def results() -> Iterator[Result]:
        for z, y in points:
            w = z.clone().requires_grad_()
            loss = torch.nn.functional.cross_entropy(w[None], torch.tensor([y]))
            true = torch.autograd.grad(-loss if targeted else loss, w)[0]
            unit = torch.zeros_like(z)
            unit[y] = 1
            printed = sign * ((unit - z.softmax(0)) if targeted else (z.softmax(0) - unit))
            yield -float((printed - true).abs().max()), _size(z), {"z": z.tolist(), "y": y}

    return collect(results(), tolerance=1e-12, family="whole and random logits, ties included")


def audit_targeted_step(
    points: Iterable[Point], *, flip_alpha: bool, flip_gradient: bool, length: float = 1e-3
) -> Finding:
    """Test that a step of a targeted attack lowers the loss of the target.

    The network is the identity, so the step is taken in the logits, with p = inf.

    Args:
        points: Logits and targets.
        flip_alpha: Whether the sign in front of alpha is flipped (Sec. 4.3).
        flip_gradient: Whether u is minus the gradient (eq. 27).
        length: The step.

    Returns:
        The finding; the slack is what the loss falls by.
    """

    def results() -> Iterator[Result]:
        for z, y in points:
            label = torch.tensor([y])
            w = z.clone().requires_grad_()
            loss = torch.nn.functional.cross_entropy(w[None], label)
            u = torch.autograd.grad(loss, w)[0] * (-1 if flip_gradient else 1)
            moved = z + (-length if flip_alpha else length) * u.sign()
            after = torch.nn.functional.cross_entropy(moved[None], label)
            shown = {
                "f(x)": z.tolist(),
                "target": y,
                "before": float(loss.detach()),
                "after": float(after),
            }
            yield float(loss.detach() - after), _size(z), shown

    return collect(results(), tolerance=0, family="steps of 1e-3 in l-inf")


def printed_flip(z: Tensor, y: int, targeted: bool) -> Tensor:
    """Return the printed limit: the target's or label's unit vector against that of the argmax.

    Args:
        z: Logits.
        y: Label, or target.
        targeted: Whether y is a target.

    Returns:
        ``e_y - e_argmax`` if targeted, else ``e_argmax - e_y``; 0 where the two agree.
    """
    found = torch.zeros_like(z)
    found[int(z.argmax())] += 1
    found[y] -= 1
    return -found if targeted else found


def flip_to_best_other(z: Tensor, y: int, targeted: bool) -> Tensor:
    """Return the limit of the direction: the best *other* classes, equally, against y.

    Args:
        z: Logits.
        y: Label, or target.
        targeted: Whether y is a target.

    Returns:
        The limit, with entry 1 or -1 at y.
    """
    others = z.clone()
    others[y] = -math.inf
    best = (others == others.max()).to(z.dtype)
    found = best / best.sum()
    found[y] = -1
    return -found if targeted else found


def audit_low_temperature(
    points: Iterable[Point],
    limit: Callable[[Tensor, int, bool], Tensor],
    *,
    targeted: bool,
    form: str,
    beta: float = 400.0,
) -> Finding:
    """Test what the logit direction tends to when the inverse temperature grows.

    Args:
        points: Logits and labels; gaps below 0.05 between logits are left out, unless ties.
        limit: The limit in question.
        targeted: Whether the attack is targeted.
        form: "raw" for ``s - e_y`` itself, without the factor beta; "rescaled" to divide it by
            ``1 - s_y``, which changes its length alone; "unit" to divide direction and limit by
            their lengths, as (18) does (a limit of 0 stays 0).
        beta: The inverse temperature.

    Returns:
        The finding.
    """

    def results() -> Iterator[Result]:
        for z, y in points:
            gaps = (z[:, None] - z[None, :]).abs()
            if bool(((gaps > 0) & (gaps < 0.05)).any()):
                continue
            loss = CrossEntropy(torch.tensor([y]), targeted=targeted, beta=beta)
            wanted = limit(z, y, targeted)
            if form == "raw":
                u = loss.gradient(z[None], z[None])[0] / beta
            else:
                u = loss.direction(z[None], z[None])[0]
            if form == "unit":
                u, wanted = u / u.norm(), wanted / wanted.norm().clamp(min=1)
            error = float((u - wanted).abs().max())
            shown = {"z": z.tolist(), "y": y, "direction": u.tolist(), "limit": wanted.tolist()}
            yield -error, _size(z), shown

    return collect(results(), tolerance=1e-6, family=f"beta = {beta:g}, whole and random logits")
