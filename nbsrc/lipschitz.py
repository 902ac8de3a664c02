"""Lipschitz constants: exact for small networks, bounds from below and above for others.

Source: Liang & Huang, Large Norms of CNN Layers Do Not Hurt Adversarial Robustness, AAAI 2021,
Definition 1: the least L with ``||f(x) - f(y)||_p <= L ||x - y||_p`` for all x, y of a set.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from nbsrc.bracket import Bracket
from nbsrc.layer_norms import LayerNorm, layer_norms
from nbsrc.linear_region import enumerate_regions, jacobian, region_radius
from nbsrc.linear_region.chain import first_inputs
from nbsrc.linear_region.domain import Box
from nbsrc.linear_region.enumeration import Region
from nbsrc.linear_region.operations import Rectifier
from nbsrc.linear_region.reading import read_network

__all__ = [
    "jacobian_lower_bound",
    "lipschitz_constant",
    "lipschitz_lower_bound",
    "product_of_norms",
]

_EPS = torch.finfo(torch.float64).eps


def lipschitz_constant(
    net: nn.Module,
    ord: float,
    domain: Box | None = None,
    *,
    max_regions: int = 10_000,
    input_shape: Sequence[int] | None = None,
    tolerance: float | None = None,
) -> Bracket:
    r"""The Lipschitz constant of a small ReLU or leaky-ReLU network, by region enumeration.

    .. math::
        L_p = \sup_{x\ne y}\frac{\|f(x)-f(y)\|_p}{\|x-y\|_p} = \max_R \|A_R\|_p

    over all activation regions R with interior that meet the interior of the domain, with
    :math:`A_R` the Jacobian on R. The domain is convex: a segment between two points passes through
    finitely many closed regions, which gives "at most"; two points inside R along a vector that
    attains the norm give "at least".

    The work grows with the number of regions, and no method escapes this in general, see
    :func:`nbsrc.maxcut.maxcut_network`.

    Args:
        net: A network of affine layers, ReLU and leaky ReLU without branches.
        ord: p, one of 1, 2 and ``math.inf``, for inputs and outputs.
        domain: A box ``(low, high)``: the local constant on it; None for the global one.
        max_regions: Largest allowed number of regions.
        input_shape: Shape of one input; not needed if the first layer with weights is linear.
        tolerance: Regions up to this thickness are not looked for: 1e-9 where linear programmes are
            needed (three inputs or more, unbounded in the plane), else 1e-12.

    Returns:
        A bracket as wide as the rounding errors, and ``converged``. Where the enumeration dropped a
        part that may be a region (``Regions.doubtful``), the upper end is the product of norms and
        ``converged`` is False. The lower end is that of a region with a checked interior point; the
        upper end relies on the enumeration: that what it takes to be empty is empty.

    Raises:
        NotImplementedError: If the network has an unsupported layer, max-pooling or branches.
        nbsrc.linear_region.RegionLimitError: If there are more than ``max_regions`` regions.
        TypeError: If ``net`` is no module.
        ValueError: If an argument is out of range.

    Example:
        >>> net = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 1))
        >>> net[0].weight.data = torch.tensor([[1.0], [-1.0]])
        >>> net[2].weight.data = torch.tensor([[3.0, 2.0]])
        >>> [lipschitz_constant(net, 2, box).value for box in (None, (-1.0, -0.5))]
        [3.0, 2.0]
    """
    check_order(ord)
    regions = enumerate_regions(
        net, domain, max_regions=max_regions, input_shape=input_shape, tolerance=tolerance
    )
    norms = [(_operator_norm(region.weight, ord), _norm_error(region, ord)) for region in regions]
    value = max((norm for norm, _ in norms), default=0.0)
    lower = max((norm - error for norm, error in norms), default=0.0)
    upper = max((norm + error for norm, error in norms), default=0.0)
    if regions.doubtful:
        upper = max(upper, product_of_norms(net, ord, input_shape).upper)
    return Bracket(value, max(lower, 0.0), upper, 0, converged=not regions.doubtful)


def product_of_norms(
    net: nn.Module, ord: float, input_shape: Sequence[int] | None = None
) -> Bracket:
    r"""The product of the layers' operator norms: an upper bound of the Lipschitz constant.

    .. math:: L_p(f) \le \prod_l \|W_l\|_p

    Linear, convolution and batch-norm layers count with their norm as linear maps at the size of
    their input, leaky ReLU with :math:`\max(1, |slope|)`, other activations and pooling with 1.

    Args:
        net: A network without branches in eval mode.
        ord: p, one of 1, 2 and ``math.inf``.
        input_shape: Shape of one input; not needed if the first layer with weights is linear.

    Returns:
        The product; its ends are the products of the layers' l2 brackets, or differ by rounding
        errors for 1 and ``math.inf``.

    Raises:
        NotImplementedError: If the network has branches, an unsupported layer, a layer without a
            known norm, or pooling windows that overlap (for 1 and 2, where 1 is no bound).
        TypeError: If ``net`` is no module.
        ValueError: If ``ord`` is none of the above, or the input shape is needed and not given.

    Example:
        >>> net = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1))
        >>> _ = nn.init.constant_(net[0].weight, 2.0), nn.init.constant_(net[2].weight, -3.0)
        >>> product_of_norms(net, 1).value
        6.0
    """
    check_order(ord)
    program = read_network(net)
    if any(step.inputs != (number,) for number, step in enumerate(program.steps)):
        raise NotImplementedError("a product of norms needs a network without branches")
    slopes = [s.operation.slope for s in program.switches if isinstance(s.operation, Rectifier)]
    value = lower = upper = math.prod(max(1.0, abs(slope)) for slope in slopes)
    if ord != math.inf:
        _refuse_overlapping_pools(net)
    example = (1, first_inputs(net)) if input_shape is None else (1, *input_shape)
    exact = copy.deepcopy(net).double().cpu()
    for record in layer_norms(exact, example, ords=(ord,)):
        for _ in range(record.calls):
            norm = _record_bracket(record, ord)
            value, lower, upper = value * norm.value, lower * norm.lower, upper * norm.upper
    return Bracket(value, lower, upper, 0, upper - lower <= 1e-6 * upper)


def lipschitz_lower_bound(net: nn.Module, starts: Tensor, ends: Tensor, ord: float) -> float:
    r"""The largest quotient of Definition 1 over given pairs of points.

    .. math:: \max_k \frac{\|f(x_k)-f(y_k)\|_p}{\|x_k-y_k\|_p} \le L_p(f)

    No allowance is made for rounding: points very close to each other give few right digits.

    Args:
        net: Any network.
        starts: ``[pairs, *input]``.
        ends: The same shape.
        ord: p, one of 1, 2 and ``math.inf``.

    Returns:
        The largest quotient.

    Raises:
        ValueError: If shapes differ, there are no pairs, a pair has equal points, or ``ord`` is
            none of the above.

    Example:
        >>> zero, two = torch.tensor([[0.0]]), torch.tensor([[2.0]])
        >>> lipschitz_lower_bound(nn.LeakyReLU(0.5), -two, zero, 2)
        0.5
    """
    check_order(ord)
    if starts.shape != ends.shape or starts.ndim < 2 or not len(starts):
        raise ValueError(
            "starts and ends must have one shape [pairs, *input] with at least one pair, got "
            f"{tuple(starts.shape)} and {tuple(ends.shape)}"
        )
    with torch.no_grad():
        before = torch.linalg.vector_norm((starts - ends).flatten(1), ord, dim=1)
        equal = torch.nonzero(before == 0).flatten().tolist()
        if equal:
            raise ValueError(f"starts and ends must differ in every pair, equal in pair {equal[0]}")
        after = torch.linalg.vector_norm((net(starts) - net(ends)).flatten(1), ord, dim=1)
        return float((after / before).max())


def jacobian_lower_bound(net: nn.Module, x: Tensor, ord: float) -> float:
    r"""The largest operator norm of the Jacobian over given points: a lower bound of ``L_p``.

    Points on a kink are left out: the derivative that back-propagation gives there need not be that
    of any region, so it proves nothing. (x - relu(x) + relu(-x), which is 0 everywhere, gets the
    slope 1 at 0.)

    Args:
        net: A piecewise affine network, see :func:`nbsrc.linear_region.jacobian`.
        x: ``[batch, *input]``.
        ord: p, one of 1, 2 and ``math.inf``.

    Returns:
        The largest norm.

    Raises:
        NotImplementedError: If the network has an unsupported layer.
        TypeError: If an argument has the wrong type.
        ValueError: If every point is on a kink, or an argument is out of range.
    """
    check_order(ord)
    inside = region_radius(net, x, 2) > 0
    if not bool(inside.any()):
        raise ValueError(f"x must have a point off the kinks, got {len(x)} points on kinks")
    matrices = jacobian(net, x[inside]).flatten(2)
    return float(torch.linalg.matrix_norm(matrices, ord).max())


def check_order(ord: float) -> None:
    """Refuse an unknown order.

    Args:
        ord: The order of a norm.

    Raises:
        ValueError: If it is none of 1, 2 and ``math.inf``.
    """
    if ord not in {1, 2, math.inf}:
        raise ValueError(f"ord must be 1, 2 or math.inf, got {ord!r}")


def _operator_norm(matrix: Tensor, ord: float) -> float:
    return float(torch.linalg.matrix_norm(matrix, ord))


def _norm_error(region: Region, ord: float) -> float:
    """Return a bound of the rounding error of a region's norm: of the matrix, and of its norm."""
    entries = _operator_norm(region.error, "fro" if ord == 2 else ord)  # type: ignore[arg-type]
    own = 8 * sum(region.weight.shape) * _EPS * _operator_norm(region.weight, ord)
    return 2 * entries + own


def _refuse_overlapping_pools(net: nn.Module) -> None:
    """Refuse pooling that uses a value more than once.

    Raises:
        NotImplementedError: If there is any; its l1 and l2 norms can exceed 1.
    """
    for name, module in net.named_modules():
        overlaps = isinstance(module, nn.AdaptiveAvgPool2d)
        if isinstance(module, (nn.AvgPool2d, nn.MaxPool2d)):
            kernel, stride, dilation = (
                (v, v) if isinstance(v, int) else v
                for v in (module.kernel_size, module.stride, getattr(module, "dilation", 1))
            )
            spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
            overlaps = any(span > s for span, s in zip(spans, stride, strict=True))
        if overlaps:
            raise NotImplementedError(
                f"layer {name!r} ({type(module).__name__}): only pooling whose windows do not "
                "overlap has l1 and l2 norms of at most 1"
            )


def _record_bracket(record: LayerNorm, ord: float) -> Bracket:
    """Return the norm of one layer.

    Raises:
        NotImplementedError: If it is not known.
    """
    if ord == 2 and record.l2 is not None:
        return record.l2
    value = record.norms.get("l1" if ord == 1 else "linf")
    if ord == 2 or value is None:
        raise NotImplementedError(f"layer {record.name!r}: norm not known: {record.remark}")
    rounding = math.prod(record.weight_shape or (1,)) * _EPS
    return Bracket(value, value * (1 - rounding), value * (1 + rounding), 0, True)
