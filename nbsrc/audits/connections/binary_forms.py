"""Lemma 3.2 and what follows from it: gradient, Hessian and penalties for two classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from nbsrc.audits.connections.compare import audit_equal, combine, relative_error
from nbsrc.audits.connections.derivatives import gradient, hessian, jacobian
from nbsrc.audits.connections.instances import Instance
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = [
    "audit_eigenvector",
    "audit_gradient_chain",
    "audit_hessian_chain",
    "audit_lemma32",
    "audit_norms",
    "audit_penalties",
    "audit_rank_one",
    "audit_same_direction",
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


def audit_rank_one(instances: Iterable[Instance]) -> Finding:
    """Test appendix B: H has rank one and no negative eigenvalue, ``v_+ != v_-``, and ``p_y < 1``.

    Args:
        instances: Correctly classified instances.

    Returns:
        The finding; the slack is minus the largest relative eigenvalue that should not be there.
    """

    def error(x: Instance) -> float:
        values = torch.linalg.eigvalsh(hessian(x)).sort(descending=True).values
        if x.nu == 0 or x.q == 0 or x.p <= 0.5 or values[0] <= 0:
            return 1.0
        return float(values[1:].abs().sum() / values[0])

    return collect(
        ((-error(x), x.size, x.description) for x in instances),
        tolerance=TOLERANCE,
        family="correctly classified instances",
    )


def audit_eigenvector(
    instances: Iterable[Instance],
    eigenvalue: Callable[[Instance], float] = lambda x: x.p * x.q * x.nu**2,
) -> Finding:
    """Test appendix B: the gradient is an eigenvector of H.

    Args:
        instances: Instances.
        eigenvalue: Its eigenvalue.

    Returns:
        The finding.
    """
    return audit_equal(
        instances, lambda x: hessian(x) @ gradient(x), lambda x: eigenvalue(x) * gradient(x),
        tolerance=TOLERANCE, family="two classes, right and wrong",
    )  # fmt: skip


def audit_same_direction(instances: Iterable[Instance]) -> Finding:
    """Test that the gradient lies along the top eigenvector of H, up to sign.

    Args:
        instances: Instances; those with a zero gradient are left out.

    Returns:
        The finding; the slack is ``|cos| - 1``.
    """

    def cases() -> Iterator[Case]:
        for x in instances:
            slope = gradient(x)
            if slope.any():
                top = torch.linalg.eigh(hessian(x)).eigenvectors[:, -1]
                yield float((top @ slope).abs() / slope.norm()) - 1, x.size, x.description

    return collect(cases(), tolerance=TOLERANCE, family="instances with a gradient")


def audit_norms(instances: Iterable[Instance]) -> Finding:
    """Test ``|gradient|_2 = (1 - p_y) nu`` and ``|H|_F = |H|_2 = p_y (1 - p_y) nu^2``.

    Args:
        instances: Instances; ``nu`` is the length of the first column minus the second.

    Returns:
        The finding.
    """

    def printed(x: Instance) -> Tensor:
        curvature = x.p * x.q * x.nu**2
        return torch.tensor([x.q * x.nu, curvature, curvature], dtype=torch.float64)

    def truth(x: Instance) -> Tensor:
        H = hessian(x)
        return torch.stack([gradient(x).norm(), H.norm(), torch.linalg.matrix_norm(H, 2)])

    def error(x: Instance) -> float:
        pairs = zip(printed(x), truth(x), strict=True)
        return max(relative_error(one, two) for one, two in pairs)

    results = ((-error(x), x.size, x.description) for x in instances)
    return collect(results, tolerance=TOLERANCE, family="two classes, right and wrong points")


def audit_penalties(
    instances: Iterable[Instance], penalties: Callable[[Instance], tuple[float, float, float]]
) -> Finding:
    """Test the penalties of eq. (11) against automatic differentiation.

    Args:
        instances: Two-class instances.
        penalties: The Jacobian, input-gradient and curvature penalty of an instance.

    Returns:
        The finding.
    """

    def error(x: Instance) -> float:
        truth = (
            jacobian(x).square().sum(),
            gradient(x).square().sum(),
            torch.linalg.matrix_norm(hessian(x), 2),
        )
        return max(relative_error(a, b) for a, b in zip(penalties(x), truth, strict=True))

    results = ((-error(x), x.size, x.description) for x in instances)
    return collect(results, tolerance=TOLERANCE, family="two classes, right and wrong points")
