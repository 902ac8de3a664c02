"""Equations (29) to (33): quantities with a limit for growing order, and how far they are from it.

With M the largest absolute entry, I the entries that have it, r the next smaller one over M and
``S = sum (|x_i| / M)^p`` we have ``|I| <= S <= |I| + (n - |I|) r^p``. All bounds follow from that.
"""

from __future__ import annotations

import math

from mpmath import mp, mpf  # type: ignore[import-untyped]

from nbsrc.audits.projection_lemma.gradients import Vector

__all__ = ["gradient", "powers", "ratio_of_powers", "summands", "tied_count"]


def _parts(x: Vector) -> tuple[float, list[bool], float]:
    largest = max(map(abs, x))
    tied = [abs(a) == largest for a in x]
    rest = [abs(a) / largest for a, t in zip(x, tied, strict=True) if not t]
    return largest, tied, max(rest, default=0.0)


def tied_count(x: Vector) -> int:
    """Return the number of entries of largest absolute value.

    Args:
        x: The vector.

    Returns:
        ``|I|``.
    """
    return sum(_parts(x)[1])


def gradient(x: Vector, p: int) -> tuple[list[float], list[float], float]:
    """Eq. (29): the gradient (28), its limit, and the distance at most.

    Args:
        x: The vector.
        p: The order.

    Returns:
        Value, limit, ``max(log|I| / p, (n - |I|) r^(p-1))``.
    """
    _, tied, r = _parts(x)
    with mp.workdps(30):
        norm = sum(abs(mpf(a)) ** p for a in x) ** (mpf(p - 1) / p)
        value = [float(mp.sign(a) * abs(mpf(a)) ** (p - 1) / norm) for a in x]
    k = sum(tied)
    limit = [math.copysign(t / k, a) for a, t in zip(x, tied, strict=True)]
    return value, limit, max(math.log(k) / p, (len(x) - k) * r ** (p - 1))


def powers(x: Vector, p: int) -> tuple[list[float], list[float], float]:
    """Eq. (30): the sum of powers, its limit, and the distance at most.

    Args:
        x: The vector.
        p: The order.

    Returns:
        Value, ``|I|``, ``(n - |I|) r^p``.
    """
    _, tied, r = _parts(x)
    with mp.workdps(30):
        top = max(abs(mpf(a)) for a in x)
        value = float(sum(abs(mpf(a)) ** p for a in x) / top**p)
    return [value], [float(sum(tied))], (len(x) - sum(tied)) * r**p


def ratio_of_powers(x: Vector, p: int) -> tuple[list[float], list[float], float]:
    """Eq. (31): both forms of the denominator, the limit, and the distance at most.

    Args:
        x: The vector.
        p: The order.

    Returns:
        Both values, ``|I|`` twice, ``max(|I| log|I| / p, (n - |I|) r^p)``.
    """
    _, tied, r = _parts(x)
    with mp.workdps(30):
        top = max(abs(mpf(a)) for a in x)
        total = sum(abs(mpf(a)) ** p for a in x)
        one = float((total ** (mpf(1) / p)) ** (p - 1) / top ** (p - 1))
        two = float((total / top**p) ** (mpf(p - 1) / p))
    k = sum(tied)
    bound = max(k * math.log(k) / p, (len(x) - k) * r**p)
    return [one, two], [float(k)] * 2, bound


def summands(x: Vector, p: int) -> tuple[list[float], list[float], float]:
    """Eqs. (32) and (33): numerators and denominator, their limits, and the distance at most.

    The last entry is the difference of the two sides of (32), whose limit is 0.

    Args:
        x: The vector.
        p: The order.

    Returns:
        Values, limits, bound.
    """
    _, tied, r = _parts(x)
    with mp.workdps(30):
        top = max(abs(mpf(a)) for a in x)
        above = [mp.sign(a) * abs(mpf(a)) ** (p - 1) / top ** (p - 1) for a in x]
        norm = sum(abs(mpf(a)) ** p for a in x) ** (mpf(p - 1) / p)
        below = norm / top ** (p - 1)
        sides = [
            abs(mp.sign(a) * abs(mpf(a)) ** (p - 1) / norm - b / below)
            for a, b in zip(x, above, strict=True)
        ]
        value = [*map(float, above), float(below), float(max(sides))]
    k = sum(tied)
    limit = [math.copysign(float(t), a) for a, t in zip(x, tied, strict=True)]
    bound = max(k * math.log(k) / p, (len(x) - k) * r**p, r ** (p - 1))
    return value, [*limit, float(k), 0.0], bound
