"""The sentences of paper D on its figures, judged on a record."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.regularisers_in_practice.records import (
    ATTACKS,
    NETS,
    PENALTIES,
    Record,
    cell,
    curve,
    keeps,
    nets_of,
    runs_of,
)
from nbsrc.claims import Finding

__all__ = [
    "alike",
    "best_counts",
    "penalised_terms",
    "reference",
    "shrinkage",
    "similar",
    "sum_share",
    "within",
]


def similar(record: Record, first: str, second: str, *, widest: float = 1.6) -> Finding:
    """Test that two penalties of one strength leave the same robustness, setting by setting.

    In a setting (network, attack, strength) they do if the means over the initialisations differ by
    at most the larger of the two standard deviations, or by one point (0.01) where that is more;
    for perturbation sizes a point is a hundredth of the size.

    Args:
        record: The experiment.
        first: A penalty.
        second: Another one.
        widest: Largest strength that counts; the paper's grid ends at 1.6.

    Returns:
        The finding; the slack is in units of what is allowed.
    """
    cases = _settings(record, first, second, widest, 1.0, 0.0)
    return collect(cases, tolerance=0.0, family=f"{first} against {second}")


def alike(
    record: Record,
    first: str,
    second: str,
    *,
    widest: float = 1.6,
    factor: float = 1.0,
    least_clean: float = 0.0,
) -> dict[str, Any]:
    """Count the settings in which two penalties leave the same robustness, see :func:`similar`.

    Args:
        record: The experiment.
        first: A penalty.
        second: Another one.
        widest: Largest strength of the first that counts.
        factor: The second's strength over the first's.
        least_clean: Settings in which a penalty leaves less clean accuracy are not compared.

    Returns:
        ``settings``, ``alike``, ``almost_all`` (at least 95 %), ``exceptions`` in words.
    """
    cases = _settings(record, first, second, widest, factor, least_clean)
    exceptions = [words for slack, _, words in cases if slack < 0]
    same = len(cases) - len(exceptions)
    return {
        "settings": len(cases),
        "alike": same,
        "almost_all": bool(cases) and same >= 0.95 * len(cases),
        "exceptions": exceptions,
    }


def _settings(
    record: Record, first: str, second: str, widest: float, factor: float, least_clean: float
) -> list[Case]:
    """Return the slack of every setting that both penalties have and in which both classify."""

    def classify(net: str, strength: float) -> bool:
        both = ((first, strength), (second, factor * strength))
        return all(keeps(runs_of(record, net, name, s), least_clean) for name, s in both)

    cases: list[Case] = []
    for net in nets_of(record):
        for attack in ATTACKS:
            others = dict(curve(record, net, second, attack))
            for strength, one in curve(record, net, first, attack):
                partner = (c for s, c in others.items() if math.isclose(s, factor * strength))
                other = next(partner, None)
                if strength > widest or other is None or not (one.values and other.values):
                    continue
                if not classify(net, strength):
                    continue
                scale = 1.0 if ATTACKS[attack] == "value" else one.mean
                allowed = max(one.spread, other.spread, 0.01 * scale)
                gap = abs(one.mean - other.mean)
                place = f"{net}, {attack}, strength {strength:g}: {one.mean:.4g}, {other.mean:.4g}"
                cases.append((1 - gap / allowed, (len(cases),), place))
    return cases


def best_counts(record: Record, *, least: float = 0.4) -> dict[str, Any]:
    """Count in how many settings each penalty leaves the most robust networks.

    By the median over initialisations, which a single collapsed network does not move. A setting
    counts if all four penalties have the same number of runs in it.

    Args:
        record: The experiment.
        least: The smallest strength that counts as reasonably large.

    Returns:
        ``cells``, the number won by each penalty (ties count for all), and ``curvature first``:
        where curvature has a larger median than the Jacobian penalty.
    """
    counts: dict[str, Any] = dict.fromkeys(("cells", *PENALTIES, "curvature first"), 0)
    for net in NETS:
        for attack in ATTACKS:
            curves = {penalty: dict(curve(record, net, penalty, attack)) for penalty in PENALTIES}
            for strength in sorted(set.intersection(*(set(c) for c in curves.values()))):
                here = {penalty: found[strength] for penalty, found in curves.items()}
                done = {found.runs for found in here.values()}
                known = all(found.values for found in here.values())
                if not least <= strength <= 1.6 or len(done) > 1 or not known:
                    continue
                counts["cells"] += 1
                top = max(found.median for found in here.values())
                for penalty, found in here.items():
                    counts[penalty] += found.median == top
                jacobian, curvature = (here[p].median for p in ("JacobianPenalty", "Curvature"))
                counts["curvature first"] += curvature > jacobian
    return counts


def reference(record: Record, net: str, *path: str) -> tuple[float, float, int]:
    """Return a quantity of the networks trained without penalty.

    Args:
        record: The experiment.
        net: Name of the network.
        path: Keys into the measures.

    Returns:
        Mean, standard deviation, number of initialisations.
    """
    found = cell(runs_of(record, net), *path)
    return found.mean, found.spread, len(found.values)


def sum_share(record: Record, net: str) -> float:
    r"""Return how much of :math:`\mu^2` the loss does not see, in the references of two classes.

    Args:
        record: The experiment with two classes.
        net: Name of the network.

    Returns:
        :math:`1-\frac12\nu^2/\mu^2=\frac12\|v_++v_-\|^2/\mu^2` from the medians over training
        images, the largest of all initialisations.
    """
    pairs = zip(
        *(cell(runs_of(record, net), "slopes", name, "median").values for name in ("mu", "nu")),
        strict=True,
    )
    return float(max(1 - nu**2 / 2 / mu**2 for mu, nu in pairs))


def within(ours: dict[str, float], printed: dict[str, float], points: float) -> bool:
    """Say whether percentages agree.

    Args:
        ours: Ours by network.
        printed: The printed ones by network.
        points: The largest allowed difference, in percentage points.

    Returns:
        Whether every network is within it.
    """
    return all(abs(ours[net] - printed[net]) <= points for net in printed)


def penalised_terms(
    record: Record, strength: float = 1.6, *, which: str = "q95"
) -> dict[str, float]:
    """Return how large each penalised term is on training images, in the worst network.

    Args:
        record: The experiment with two classes.
        strength: The strength of the penalty; each term is taken on the networks that were
            trained with it, and for 0 on the references.
        which: ``"q95"``, what 95 % of the images stay below, or ``"largest"``.

    Returns:
        mu^2, nu^2/2, the squared gradient norm and the Hessian's norm, by the penalty's name.
    """
    terms: dict[str, tuple[str, Callable[[float], float]]] = {
        "JacobianPenalty": ("mu", lambda v: v**2),
        "CrossLipschitz": ("nu", lambda v: v**2 / 2),
        "InputGradient": ("input_gradient", lambda v: v),
        "Curvature": ("curvature", lambda v: v),
    }
    largest = {}
    for penalty, (name, term) in terms.items():
        values = [
            term(value)
            for net in NETS
            for value in cell(
                runs_of(record, net, penalty, strength) if strength else runs_of(record, net),
                "slopes",
                name,
                which,
            ).values
        ]
        largest[penalty] = max(values)
    return largest


def shrinkage(record: Record, net: str, strength: float = 1.6) -> dict[str, dict[str, float]]:
    r"""Return how much smaller :math:`\nu` and :math:`\nu\gamma` are after training with a penalty.

    Args:
        record: The experiment with two classes.
        net: Name of the network.
        strength: The strength of the penalty.

    Returns:
        By penalty: the factors by which the means over training images fell, and the smallest
        share of images with :math:`\nu\gamma\le1.28` in a network.
    """
    before = {
        name: reference(record, net, "slopes", name, "mean")[0] for name in ("nu", "nu_gamma")
    }
    found = {}
    for penalty in PENALTIES:
        runs = runs_of(record, net, penalty, strength)
        shares = cell(runs, "slopes", "shares", "input_gradient").values
        factors = {
            name: before[name] / cell(runs, "slopes", name, "mean").mean
            for name in ("nu", "nu_gamma")
        }
        found[penalty] = factors | {"share": min(shares)}
    return found
