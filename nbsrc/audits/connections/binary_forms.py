"""Lemma 3.2 and its proof: gradient and Hessian of the loss for two classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from nbsrc.audits.connections.compare import audit_equal, combine, relative_error
from nbsrc.audits.connections.derivatives import gradient, hessian, jacobian
from nbsrc.audits.connections.instances import Instance
from nbsrc.audits.finding import collect
from nbsrc.claims import Finding

__all__ = [
    "audit_gradient_chain",
    "audit_hessian_chain",
    "audit_lemma32",
    "hessian_with_late_parenthesis",
    "lemma32_gradient",
    "lemma32_hessian",
    "lemma32_hessian_by_signs",
    "softmax_hessian",
]

TOLERANCE = 1e-9


def lemma32_gradient(instance: Instance) -> Tensor:
    """Return ``y (p_y - 1) (v_+ - v_-)`` of eq. (7), as a vector.

    Args:
        instance: A two-class instance.

    Returns:
        Shape ``[n]``.
    """
    return -instance.sign * instance.q * instance.a


def lemma32_hessian(instance: Instance) -> Tensor:
    """Return ``p_y (1 - p_y) (v_+ - v_-)(v_+ - v_-)^T`` of eq. (7).

    Args:
        instance: A two-class instance.

    Returns:
        Shape ``[n, n]``.
    """
    return instance.p * instance.q * torch.outer(instance.a, instance.a)


def lemma32_hessian_by_signs(instance: Instance) -> Tensor:
    """Return ``p_+ p_- (v_+ - v_-)(v_+ - v_-)^T`` of eqs. (7) and (19).

    Args:
        instance: A two-class instance.

    Returns:
        Shape ``[n, n]``.
    """
    return torch.softmax(instance.logits(), -1).prod() * torch.outer(instance.a, instance.a)


def softmax_hessian(instance: Instance) -> Tensor:
    """Return ``V (diag(p) - p p^T) V^T``.

    Args:
        instance: An instance with any number of classes.

    Returns:
        Shape ``[n, n]``.
    """
    p = torch.softmax(instance.logits(), -1)
    return instance.V @ (torch.diag(p) - torch.outer(p, p)) @ instance.V.T


def hessian_with_late_parenthesis(instance: Instance) -> Tensor:
    """Return eq. (19)'s third line with the parenthesis closed late: ``V diag(p - p p^T) V^T``.

    Args:
        instance: An instance.

    Returns:
        Shape ``[n, n]``; diag keeps the diagonal of the matrix.
    """
    p = torch.softmax(instance.logits(), -1)
    return instance.V @ torch.diag(p - p.square()) @ instance.V.T


def audit_lemma32(instances: Iterable[Instance], *, strict_layout: bool = False) -> Finding:
    """Test eq. (7) against automatic differentiation.

    Args:
        instances: Two-class instances.
        strict_layout: Also ask for one layout of derivatives, rows or columns, in which J has the
            shape of V and the gradient the shape of ``(v_+ - v_-)^T``, as printed.

    Returns:
        The finding.
    """

    def error(x: Instance) -> float:
        J, slope = jacobian(x), gradient(x)
        row = lemma32_gradient(x)[None]
        columns = max(relative_error(x.V, J.T), relative_error(row, slope[:, None]))
        rows = max(relative_error(x.V, J), relative_error(row, slope[None]))
        values = max(relative_error(x.V, J.T), relative_error(row, slope[None]))
        H = hessian(x)
        curvature = max(
            relative_error(lemma32_hessian(x), H), relative_error(lemma32_hessian_by_signs(x), H)
        )
        return max(curvature, min(columns, rows) if strict_layout else values)

    return collect(
        ((-error(x), x.size, x.description) for x in instances),
        tolerance=TOLERANCE,
        family="two classes: whole numbers up to two inputs, random up to eight; right and wrong",
    )


def audit_gradient_chain(instances: Iterable[Instance], *, as_printed: bool) -> Finding:
    """Test eq. (18): ``-V(y - p)``, ``-y (1 - p_y)(v_+ - v_-)^T`` and the gradient are one thing.

    Args:
        instances: Two-class instances.
        as_printed: Keep the transpose, so that a column is set equal to a row.

    Returns:
        The finding.
    """

    def by_softmax(x: Instance) -> Tensor:
        onehot = torch.nn.functional.one_hot(torch.tensor(x.label), 2).double()
        return (-x.V @ (onehot - torch.softmax(x.logits(), -1)))[:, None]

    def by_difference(x: Instance) -> Tensor:
        column = lemma32_gradient(x)[:, None]
        return column.T if as_printed else column

    def truth(x: Instance) -> Tensor:
        return gradient(x)[:, None]

    cases = list(instances)
    options = {"tolerance": TOLERANCE, "family": "two classes, both labels, right and wrong"}
    return combine(
        audit_equal(cases, by_softmax, by_difference, **options),  # type: ignore[arg-type]
        audit_equal(cases, by_softmax, truth, **options),  # type: ignore[arg-type]
        family="two classes, both labels, right and wrong",
    )


def audit_hessian_chain(
    instances: Iterable[Instance], third_line: Callable[[Instance], Tensor] = softmax_hessian
) -> Finding:
    """Test eq. (19): its third and fourth line against automatic differentiation.

    Args:
        instances: Two-class instances.
        third_line: How the third line is read.

    Returns:
        The finding.
    """
    cases, family = list(instances), "two classes, both labels, right and wrong"
    return combine(
        audit_equal(cases, third_line, hessian, tolerance=TOLERANCE, family=family),
        audit_equal(cases, lemma32_hessian_by_signs, hessian, tolerance=TOLERANCE, family=family),
        family=family,
    )
