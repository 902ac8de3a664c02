"""Cross-entropy, probability and margin; what shrinking the confidence does to two losses."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.singular_values.cases import Scores
from nbsrc.audits.singular_values.scores import margin
from nbsrc.claims import Finding

__all__ = [
    "audit_loss_and_probability",
    "audit_mechanism",
    "audit_model_loss",
    "audit_probability_between",
    "audit_two_losses_for_one_margin",
    "cross_entropy",
    "model_loss",
    "probability",
    "turning_point",
]


def cross_entropy(case: Scores) -> float:
    """The cross-entropy of the label.

    Args:
        case: Scores and label.

    Returns:
        ``log sum_i exp(s_i - s_y)``.
    """
    s = torch.tensor(case.s, dtype=torch.float64)
    return float(torch.logsumexp(s - s[case.label], 0))


def probability(case: Scores) -> float:
    """The softmax probability of the label.

    Args:
        case: Scores and label.

    Returns:
        The probability.
    """
    return float(torch.softmax(torch.tensor(case.s, dtype=torch.float64), 0)[case.label])


def audit_loss_and_probability(cases: Sequence[Scores], sign: float = -1.0) -> Finding:
    """Test that the loss is ``-log p`` and falls strictly with p: one loss for one probability.

    Args:
        cases: Scores with labels.
        sign: -1 for the statement.

    Returns:
        The finding; the slack is minus the error, or -1 where the order is wrong.
    """
    ordered = sorted(cases, key=probability)

    def results() -> Iterator[Case]:
        for x in ordered:
            error = abs(cross_entropy(x) - sign * math.log(probability(x)))
            yield -error, x.size, x.description
        for one, two in itertools.pairwise(ordered):
            apart = probability(two) - probability(one)
            falls = cross_entropy(one) - cross_entropy(two)
            if apart > 1e-12:
                yield (0.0 if falls > 0 else -1.0), two.size, two.description

    return collect(results(), tolerance=1e-12, family="score vectors with every label")


def audit_two_losses_for_one_margin(classes: Iterable[int], entries: Sequence[int]) -> Finding:
    """Test that for every number of classes one margin comes with several losses.

    Args:
        classes: Numbers of classes, 2 or more.
        entries: Values of a score.

    Returns:
        The finding; the slack is -1 where the margin fixes the loss, 0 elsewhere.
    """

    def results() -> Iterator[Case]:
        for L in classes:
            losses: dict[float, set[float]] = {}
            for s in itertools.product(entries, repeat=min(L, 4)):
                case = Scores(tuple(map(float, s)) + (float(min(entries)),) * (L - len(s)), 0)
                losses.setdefault(margin(case), set()).add(round(cross_entropy(case), 9))
            several = max(map(len, losses.values()))
            shown = {"classes": L, "losses for one margin": several}
            yield (0.0 if several > 1 else -1.0), (L,), shown

    return collect(results(), tolerance=0, family="score vectors, numbers of classes from 2 on")


def audit_probability_between(cases: Iterable[Scores], *, last: int = 1) -> Finding:
    """Test ``log(1 + e^-M) <= loss <= log(1 + (L - 1) e^-M)``: what a margin M says of the loss.

    Args:
        cases: Scores with labels.
        last: What is taken from L in the upper bound; 1 for the statement.

    Returns:
        The finding.
    """

    def results() -> Iterator[Case]:
        for x in cases:
            M, L, loss = margin(x), len(x.s), cross_entropy(x)
            low = float(torch.nn.functional.softplus(torch.tensor(-M, dtype=torch.float64)))
            high = math.log1p((L - last) * math.exp(-M))
            yield min(loss - low, high - loss), x.size, {**x.description, "loss": loss}

    return collect(results(), tolerance=1e-12, family="score vectors with every label")


def model_loss(confidence: Tensor, errors: float) -> Tensor:
    """Mean loss of two classes when a share of the examples has margin -a and the others have a.

    Args:
        confidence: The margin's size a.
        errors: Share of wrong predictions e.

    Returns:
        ``log(1 + exp(-a)) + e a``.
    """
    return torch.nn.functional.softplus(-confidence) + errors * confidence


def turning_point(errors: float) -> float:
    """The confidence at which the mean loss is smallest: the probability is then ``1 - errors``.

    Args:
        errors: Share of wrong predictions, at most 1/2.

    Returns:
        ``log((1 - e) / e)``, infinite without errors.
    """
    return math.log((1 - errors) / errors) if errors else math.inf


def audit_model_loss(errors: Iterable[int], confidences: Iterable[float]) -> Finding:
    """Test :func:`model_loss` against the mean cross-entropy of 100 score vectors of two classes.

    Args:
        errors: How many of the 100 are wrong.
        confidences: Values of a.

    Returns:
        The finding; the slack is minus the error.
    """

    def results() -> Iterator[Case]:
        for wrong, a in itertools.product(errors, confidences):
            losses = [cross_entropy(Scores((a, 0.0), label)) for label in (0, 1)]
            truth = ((100 - wrong) * losses[0] + wrong * losses[1]) / 100
            found = float(model_loss(torch.tensor(a, dtype=torch.float64), wrong / 100))
            yield -abs(found - truth), (wrong,), {"wrong": wrong, "a": a, "mean": truth}

    return collect(results(), tolerance=1e-12, family="100 examples with margins a and -a")


def audit_mechanism(
    train_errors: Iterable[float],
    test_errors: Sequence[float],
    confidences: Sequence[float],
    *,
    optimal: bool,
) -> Finding:
    """Test that less confidence raises the training loss, closes the gap, and can lower the test's.

    The mean losses are those of :func:`model_loss`, at fixed shares of errors.

    Args:
        train_errors: Shares of training errors.
        test_errors: Shares of test errors, larger ones.
        confidences: Rising values of a.
        optimal: Only confidences up to the one with the smallest training loss.

    Returns:
        The finding; the slack is the smaller of the first two changes; if ``optimal``, also minus
        the rise of the test loss where a stays above its own turning point. A last case asks
        whether some step lowered the test loss.
    """

    def results() -> Iterator[Case]:
        lowered = False
        for e, f in itertools.product(train_errors, test_errors):
            for low, high in itertools.pairwise(confidences):
                if not e < f or (optimal and high > turning_point(e)):
                    continue
                ends = torch.tensor([low, high], dtype=torch.float64)
                train, test = model_loss(ends, e), model_loss(ends, f)
                gap = test - train
                rise, closes = float(train[0] - train[1]), float(gap[1] - gap[0])
                lowered |= bool(test[0] < test[1])
                slack = min(rise, closes)
                if optimal and low >= turning_point(f):
                    slack = min(slack, float(test[1] - test[0]))
                shown = {"train errors": e, "test errors": f, "a from": high, "to": low,
                         "training loss rises by": rise, "gap falls by": closes}  # fmt: skip
                yield slack, (int(high), int(1000 * e), int(1000 * f)), shown
        yield (0.0 if lowered else -1.0), (999,), {"test loss": "is never lowered"}

    return collect(results(), tolerance=0, family="two classes, margins a and -a")
