"""What follows from Lemma 3.2: rank, eigenvector and norms of the Hessian, and the penalties."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from nbsrc.audits.connections.compare import audit_equal, relative_error
from nbsrc.audits.connections.derivatives import gradient, hessian, jacobian
from nbsrc.audits.connections.instances import Instance
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding

__all__ = [
    "audit_eigenvector",
    "audit_norms",
    "audit_penalties",
    "audit_rank_one",
    "audit_same_direction",
]

TOLERANCE = 1e-9


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
