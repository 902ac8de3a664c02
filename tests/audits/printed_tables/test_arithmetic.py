"""Differences, shares and layer counts, with planted errors."""

from __future__ import annotations

import pytest

from nbsrc.audits.printed_tables import arithmetic
from nbsrc.audits.printed_tables.cells import read_runs, select

RUNS = read_runs()
ATTACKED = [run for run in RUNS if "PGD" in run.values]


def test_differences_agree_up_to_rounding() -> None:
    assert arithmetic.audit_differences(RUNS).holds
    exact = arithmetic.audit_differences(RUNS, units=0)
    assert not exact.holds
    assert exact.counterexample == (
        "Table 4, CIFAR100, ResNet-110, AR 8: 2.413 - 0.171 is printed as 2.241"
    )
    # 9 runs with three strengths and two differences, one with four, two losses only (Table 2)
    assert exact.trials == 8 * 6 + 8 + 2 * 3


@pytest.mark.parametrize("units", [-2, 2])
def test_differences_see_two_units(units: int) -> None:
    run = select(RUNS, table="C.tab3")[0]
    assert not arithmetic.audit_differences([run.planted("dAcc", 1, units)]).holds


@pytest.mark.parametrize("total", [7, 1000, 6131, 8886])
def test_counts_against_printing(total: int) -> None:
    """Every count is found under what it prints as, and nothing else is."""
    printed: dict[int, list[int]] = {}
    for k in range(total + 1):
        printed.setdefault(int(f"{100 * k / total:.2f}".replace(".", "")), []).append(k)
    for percent in range(0, 10_001, 7 if total > 100 else 1):
        ties = [k for k in range(total + 1) if abs(10_000 * 2 * k - 2 * percent * total) == total]
        expected = sorted({*printed.get(percent, []), *ties})
        assert arithmetic.counts_of_share(percent, total) == expected


def test_one_share_cannot_be() -> None:
    found = arithmetic.audit_shares(ATTACKED)
    assert not found.holds
    assert found.counterexample.startswith("Table 3, CIFAR10, ResNet-110, AR 16: 72.40 %")
    assert arithmetic.audit_shares(ATTACKED, cut_off=[("C.tab3", "ResNet-110", 16)]).holds
    assert not arithmetic.audit_shares(ATTACKED, cut_off=[("C.tab3", "ResNet-56", 16)]).holds
    others = [run for run in ATTACKED if (run.table, run.name) != ("C.tab3", "ResNet-110")]
    assert arithmetic.audit_shares(others).holds
    run = select(RUNS, table="C.tab4", name="ResNet-56")[0]
    nearby = [run.planted("PGD", 0, units) for units in range(-4, 5) if units]
    # 6,131 shares for 10,001 percentages: some have none
    assert not all(arithmetic.audit_shares([r]).holds for r in nearby)


def test_shares_have_power() -> None:
    assert 0 < arithmetic.chance_of_shares(ATTACKED) < 0.01
    tiny = select(RUNS, data="Tiny-ImageNet")  # 0.00 at strength 0 is a share of anything
    assert arithmetic.chance_of_shares(tiny) == pytest.approx(6210 * 6110 * 5737 / 10_001**3)


def test_printed_twice() -> None:
    one = select(RUNS, table="C.tab3", name="ResNet-56")[0]
    two = select(RUNS, name="SPuncontrolled")[0]
    same = arithmetic.audit_printed_twice(one, two)
    assert same.holds
    assert same.trials == 21
    assert not arithmetic.audit_printed_twice(one, select(RUNS, name="SP5")[0]).holds
    assert not arithmetic.audit_printed_twice(one, two.planted("PGD", 0, 1)).holds


def test_one_digit_off() -> None:
    near = list(arithmetic.one_digit_off("0.41"))
    assert len(set(near)) == 27
    assert {"0.42", "0.91", "1.41"} < set(near)
    assert "0.41" not in near


def test_layers() -> None:
    cifar10 = [("4.7465", "0.1158"), ("0.4372", "0.0312")]
    assert arithmetic.audit_layers(cifar10, None).holds
    assert arithmetic.audit_layers(cifar10, [55]).holds
    found = arithmetic.audit_layers(cifar10, [56])
    assert found.counterexample == "the groups have [55] layers, not [56]"
    assert not arithmetic.audit_layers([("3.7511", "0.09618"), ("0.4372", "0.1103")], None).holds
    assert arithmetic.audit_layers([("3.7511", "0.09618"), ("1.7648", "0.1103")], [55]).holds
