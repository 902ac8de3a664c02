"""The printed tables of paper C: differences, shares, layer counts, trends, planted errors."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from nbsrc.audits.margin_tables import (
    counting,
    derived,
    doubling,
    intervals,
    layers,
    printed,
    setups,
    trends,
    variation,
)

T = {key: printed.read_table(f"C.tab{key}") for key in "23456"}


def test_gaps_are_differences_and_a_planted_digit_is_found() -> None:
    assert derived.audit_gaps(*T.values()).trials == 62
    assert derived.audit_gaps(*T.values()).holds
    assert sum(c.error != 0 for t in T.values() for c in derived.derived_cells(t)) == 3
    for quantity, value in (("dAcc", 10.66), ("dLoss", 0.671)):
        wrong = T["3"].planted({("ResNet-56", quantity, 4): value})
        assert not derived.audit_gaps(wrong).holds
    assert derived.audit_gaps(T["3"].planted({("ResNet-56", "dLoss", 4): 0.67})).holds
    assert derived.audit_possible(*T.values()).holds
    assert not derived.audit_possible(T["3"].planted({("ResNet-56", "PGD", 4): 100.5})).holds


def test_the_uncontrolled_block_is_resnet_56_again() -> None:
    first = T["3"].pick(*printed.DECIMALS, nets=["ResNet-56"])
    second = T["6"].pick(*printed.DECIMALS, nets=["SPuncontrolled"])
    assert derived.audit_same_lines(first, second).holds
    other = T["6"].pick(*printed.DECIMALS, nets=["SP5"])
    assert not derived.audit_same_lines(first, other).holds
    with pytest.raises(ValueError, match="same quantities"):
        derived.audit_same_lines(first, second[:2])


def test_one_accuracy_under_attack_is_no_share() -> None:
    cells = counting.attacked(T["3"], T["4"], T["5"], T["6"])
    found = counting.audit_conditional(cells)
    assert not found.holds
    assert "72.40 of 8502" in found.counterexample
    assert sum(not c.counts for c in cells) == 1
    assert all(
        counting.possible_counts(round(100 * round(100 * k / 37, 2)), 37) == [k] for k in range(38)
    )
    assert not counting.audit_accuracies(T["3"], images=5000).holds
    assert counting.audit_accuracies(T["3"]).holds
    with pytest.raises(ValueError, match="at least 1"):
        counting.possible_counts(5000, 0)


def test_layers_of_appendix_b2() -> None:
    ten, hundred = layers.read_groups("C.B2.c10"), layers.read_groups("C.B2.c100")
    assert layers.split(ten) == [(41, 14)]
    assert layers.audit_layers(ten, layers.basic_layers(56)[0]).holds
    assert not layers.audit_layers(ten, 56).holds
    assert hundred[0].layers.whole_numbers() == [39]
    assert not layers.audit_whole(hundred).holds
    repaired = layers.with_total(hundred[1], Fraction("1.7648"))
    assert layers.audit_whole([repaired]).holds
    assert layers.audit_magnitude([ten]).holds
    assert not layers.audit_magnitude([ten, hundred]).holds
    with pytest.raises(ValueError, match="6n"):
        layers.basic_layers(57)


def test_trends_and_their_counterexamples() -> None:
    for table in T.values():
        assert trends.audit_falls(table.pick("dLoss")).holds
        assert trends.audit_falls(table.pick("TestAcc")).holds
        assert trends.audit_falls(table.pick("TrnLoss"), sign=1).holds
    test_loss = T["3"].pick("TestLoss", nets=["ResNet-56"])
    assert "0.649 to 0.650" in trends.audit_falls(test_loss).counterexample
    assert trends.audit_net(test_loss).holds
    assert not trends.audit_net(T["2"].pick("TestLoss")).holds
    assert len(trends.opposite([T["3"]], "PGD", 1)) == 1
    pairs = [(T["3"].line("ResNet-56", "TestLoss"), T["2"].line("CIFAR10", "TestLoss"))]
    assert not trends.audit_same_signs(pairs).holds
    order = [T["6"].line(net, "dAcc") for net in ("SPuncontrolled", "SP5", "SP3", "SP1")]
    assert [float(x) for x in trends.net_changes(order).values()] == [0.43, 0.6, 0.88, -1.68]
    assert "10.24 for SP5, 10.44 for SP3" in trends.audit_ordered(order).counterexample


def test_variations() -> None:
    cells = variation.read_variations()
    assert len(cells) == 18
    for audit in (
        variation.audit_falls_with_strength,
        variation.audit_grows_with_radius,
        variation.audit_spread,
    ):
        assert audit(cells).holds
    wrong = variation.planted(cells, ("CIFAR10", 1, 4), 0.0001)
    assert not variation.audit_falls_with_strength(wrong).holds
    assert not variation.audit_spread(wrong).holds
    assert not variation.audit_logarithm(math.log).holds
    assert variation.audit_logarithm(lambda p: -math.log(p)).holds
    assert variation.audit_ratio(cells, 1.57, 3.63).holds
    assert not variation.audit_ratio(cells, 0.5, 2.0).holds


def test_affine_scores_at_least_double_the_loss_and_not_the_probability() -> None:
    assert doubling.audit_affine_doubling(60, 0).holds
    assert not doubling.audit_affine_doubling(60, 0, doubling.error_probability).holds
    cells = variation.read_variations()
    for dataset, holds in (("CIFAR10", True), ("CIFAR100", False)):
        part = [c for c in cells if c.dataset == dataset]
        assert variation.audit_doubling(part).holds is holds


def test_setups() -> None:
    said = {"convolutions": [49], "fully connected": [1], "sides": [56, 28, 14, 7]}
    assert setups.audit_wide_resnet(setups.wide_resnet([3, 4, 6, 3], 2, 56), said).holds
    assert not setups.audit_wide_resnet(setups.wide_resnet([3, 4, 4, 3], 2, 56), said).holds
    assert setups.audit_reach([4, 8, 16], 10, 2, random_start=False).holds
    assert not setups.audit_reach([4, 8, 16], 10, 2, random_start=True).holds
    found = setups.grid(*T.values())
    assert setups.audit_grid(found, found).holds
    assert not setups.audit_grid(found, {}).holds


def test_intervals() -> None:
    assert intervals.rounded(65, 2) == intervals.Interval(Fraction(129, 200), Fraction(131, 200))
    with pytest.raises(ValueError, match="at most 2 decimals"):
        intervals.units(0.123, 2)
    with pytest.raises(ValueError, match="divisor"):
        _ = intervals.rounded(1, 0) / intervals.rounded(0, 0)
