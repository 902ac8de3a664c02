r"""Derivations with sympy: the Taylor distance, its monotonicity, series and rates; appendix G.

Symbols: p the label's probability, t its log-odds, :math:`\nu` (nu) and :math:`\gamma` (gamma) as
in the paper, s the Taylor distance times nu. Every function returns exact expressions; the notebook
shows them and turns them into numerical functions with ``lambdify``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import sympy as sp

__all__ = [
    "GAMMA",
    "NU",
    "XI",
    "P",
    "S",
    "T",
    "critical_equations",
    "curvature_value",
    "gradient_value",
    "growth_limit",
    "implicit_slope",
    "lambdify",
    "printed_slopes",
    "quadratic_constraint",
    "ratio_series",
    "slope_residuals",
    "slopes",
    "taylor_distance",
    "taylor_distance_in_margin",
    "third_derivative",
]

Expr: TypeAlias = Any  # sympy has no annotations

P, NU, GAMMA, S, XI = sp.symbols("p nu gamma s xi", positive=True)
T = sp.Symbol("t", positive=True)


def quadratic_constraint() -> Expr:
    r"""Return :math:`(1-p)s+\tfrac12p(1-p)s^2-\xi`: the constraint along :math:`-a`, r = s / nu.

    Substituting Lemma 3.2 into :math:`\nabla^\top r+\tfrac12r^\top Hr-\xi`.

    Returns:
        The expression, 0 at the Taylor distance.
    """
    return (1 - P) * S + P * (1 - P) * S**2 / 2 - XI


def taylor_distance() -> Expr:
    r"""Solve the constraint for its positive root, equation (8) times :math:`\nu`.

    Returns:
        The root in p and xi.

    Raises:
        ArithmeticError: If not exactly one root is positive.
    """
    roots = sp.solve(quadratic_constraint(), S)
    at = {P: sp.Rational(3, 4), XI: sp.log(sp.Rational(3, 2))}
    positive = [root for root in roots if root.subs(at).evalf() > 0]
    if len(positive) != 1:
        raise ArithmeticError(f"one positive root was expected, got {roots}")
    return sp.simplify(positive[0])


def implicit_slope() -> tuple[Expr, Expr]:
    r"""Derive :math:`ds/dp=-F_p/F_s` from the constraint F with :math:`\xi=\log(2p)`.

    Returns:
        :math:`-F_p` and :math:`F_s`. For p > 1/2 both are sums of positive terms:
        :math:`-F_p=\frac1p+s+(2p-1)\frac{s^2}2` and :math:`F_s=(1-p)(1+ps)`. So the Taylor
        distance grows with p at fixed nu.
    """
    F = quadratic_constraint().subs(XI, sp.log(2 * P))
    return sp.expand(-sp.diff(F, P)), sp.factor(sp.diff(F, S))


def taylor_distance_in_margin() -> Expr:
    r"""Return the Taylor distance times nu as a function of t, with :math:`p=1/(1+e^{-t})`.

    Returns:
        The expression; :math:`\xi=\log(1+\tanh(t/2))`.
    """
    p = 1 / (1 + sp.exp(-T))
    return (sp.sqrt(1 + 2 * sp.exp(T) * sp.log(1 + sp.tanh(T / 2))) - 1) / p


def ratio_series(order: int = 6) -> Expr:
    r"""Expand the Taylor distance over the exact one, :math:`s^*(t)/t`, at t = 0 (p = 1/2).

    Args:
        order: First power of t that is left out.

    Returns:
        The polynomial part, :math:`1+t^3/32-\ldots`.

    Raises:
        ValueError: If ``order`` is below 1.

    Example:
        >>> ratio_series(4)
        t**3/32 + 1
    """
    if order < 1:
        raise ValueError(f"order must be at least 1, got {order}")
    terms = order + 2
    xi = sp.series(sp.log(1 + sp.tanh(T / 2)), T, 0, terms).removeO()
    inside = sp.series(2 * xi * sp.exp(T), T, 0, terms).removeO()
    root = sp.series(sp.sqrt(1 + inside), T, 0, terms).removeO()
    factor = sp.series(1 + sp.exp(-T), T, 0, terms).removeO()
    whole = sp.series(sp.expand((root - 1) * factor / T), T, 0, order)
    return whole.removeO()


def growth_limit() -> Expr:
    r"""Return :math:`\lim_{p\to1}s^*\sqrt{1-p}=\sqrt{2\log2}`: the Taylor distance's rate.

    The exact distance is only :math:`\log\frac1{1-p}` to leading order.

    Returns:
        The limit.

    Raises:
        ArithmeticError: If the scaling by hand changed the expression.
    """
    q = sp.Symbol("q", positive=True)
    root = taylor_distance().subs(XI, sp.log(2 * P)).subs(P, 1 - q)
    # sqrt(q) goes under the radical by hand: sympy's limit does not terminate otherwise.
    scaled = (sp.sqrt(q + 2 * (1 - q) * sp.log(2 * (1 - q))) - sp.sqrt(q)) / (1 - q)
    if sp.N(abs((root * sp.sqrt(q) - scaled).subs(q, sp.Rational(1, 7))), 30) > 1e-25:
        raise ArithmeticError("the scaled expression is not the root times sqrt(q)")
    return scaled.subs(q, 0)


def third_derivative() -> Expr:
    r"""Return :math:`\frac{d^3}{dm^3}\log(1+e^m)` in terms of :math:`\sigma(m)`: s(1-s)(1-2s).

    Positive for m < 0, where the point is correctly classified: the Taylor loss is below the loss
    up to the boundary, so the Taylor distance is larger than the exact one.

    Returns:
        The expression in s.

    Raises:
        ArithmeticError: If the identity fails.
    """
    m = sp.Symbol("m", real=True)
    sigma = 1 / (1 + sp.exp(-m))
    found = S * (1 - S) * (1 - 2 * S)
    if sp.simplify(sp.diff(sp.log(1 + sp.exp(m)), m, 3) - found.subs(S, sigma)) != 0:
        raise ArithmeticError("the third derivative is not s(1-s)(1-2s)")
    return found


def gradient_value() -> Expr:
    r"""Return :math:`\|\nabla\|_2^2=\nu^2/(1+e^{\gamma\nu})^2`.

    Returns:
        The expression.
    """
    return NU**2 / (1 + sp.exp(GAMMA * NU)) ** 2


def curvature_value() -> Expr:
    r"""Return :math:`\|H\|_2=\nu^2e^{\gamma\nu}/(1+e^{\gamma\nu})^2`.

    Returns:
        The expression.
    """
    return NU**2 * sp.exp(GAMMA * NU) / (1 + sp.exp(GAMMA * NU)) ** 2


def slopes() -> tuple[Expr, Expr]:
    r"""Differentiate both penalties in :math:`\nu` at fixed :math:`\gamma`.

    Returns:
        The two derivatives.
    """
    return sp.diff(gradient_value(), NU), sp.diff(curvature_value(), NU)


def printed_slopes() -> tuple[Expr, Expr]:
    """Return equations (44) and (45) as printed.

    Returns:
        The two expressions.
    """
    e, t = sp.exp(GAMMA * NU), GAMMA * NU
    below = (1 + e) ** 3
    return 2 * NU * (1 - (t - 1) * e) / below, NU * (2 + t - (t - 2) * e) * e / below


def slope_residuals() -> tuple[Expr, Expr]:
    """Subtract the printed derivatives from the derived ones.

    Returns:
        The simplified differences; 0 where the paper is right.
    """
    pairs = zip(slopes(), printed_slopes(), strict=True)
    first, second = (sp.simplify(derived - printed) for derived, printed in pairs)
    return first, second


def critical_equations() -> tuple[Expr, Expr]:
    r"""Return expressions in :math:`t=\nu\gamma` whose positive zeros are the critical products.

    Returns:
        :math:`t-1-W(1/e)`, and :math:`t\tanh(t/2)-2`, which has no closed form in W.
    """
    return T - 1 - sp.LambertW(sp.exp(-1)), T * sp.tanh(T / 2) - 2


def lambdify(expression: Expr, *symbols: Expr) -> Callable[..., Any]:
    """Turn an expression into a numpy function.

    Args:
        expression: The expression.
        symbols: Its arguments in order.

    Returns:
        The function.

    Raises:
        ValueError: If the expression has other symbols.

    Example:
        >>> float(lambdify(quadratic_constraint(), P, S, XI)(0.5, 2.0, 1.5))
        0.0
    """
    left = expression.free_symbols - set(symbols)
    if left:
        raise ValueError(f"symbols must name all symbols of the expression, {left} are left")
    function: Callable[..., Any] = sp.lambdify(symbols, expression, "numpy")
    return function
