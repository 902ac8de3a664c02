"""Sentences about trends, with planted cells."""

from __future__ import annotations

import pytest

from nbsrc.audits.printed_tables import trends
from nbsrc.audits.printed_tables.cells import read_runs, select

RUNS = read_runs()


def test_gaps_fall_everywhere_and_see_a_tie() -> None:
    assert trends.audit_steps(RUNS, "dLoss", -1).holds
    assert not trends.audit_steps(RUNS, "dLoss", 1).holds
    run = RUNS[0]
    first, second, _ = run.values["dLoss"]
    assert not trends.audit_steps([run.planted("dLoss", 1, first - second)], "dLoss", -1).holds


def test_pgd_falls_once() -> None:
    run = select(RUNS, table="C.tab3", name="ResNet-56")
    found = trends.audit_steps(run, "PGD", 1)
    assert not found.holds
    assert found.counterexample == (
        "Table 3, CIFAR10, ResNet-56, PGD: 65.92 at AR 4, 65.24 at AR 8"
    )
    assert trends.audit_ends(run, "PGD", 1).holds
    assert not trends.audit_ends(run, "PGD", -1).holds


def test_change_and_total_accuracy() -> None:
    run = select(RUNS, table="C.tab3", name="ResNet-56")[0]
    assert trends.change(run, "dAcc") == pytest.approx(0.43)
    assert trends.total_accuracy(run, 0) == pytest.approx(0.8886 * 65.92)


def test_order_of_spectral_bounds() -> None:
    bounds = ("SPuncontrolled", "SP5", "SP3", "SP1")
    runs = [select(RUNS, name=name)[0] for name in bounds]
    assert trends.audit_order(runs, "dLoss").holds
    found = trends.audit_order(runs, "dAcc")
    assert found.counterexample == "dAcc at AR 8: 10.24 with SP5, 10.44 with SP3"
    assert not trends.audit_order(runs[::-1], "dLoss").holds


def test_variation() -> None:
    table = trends.variation()
    assert len(table) == 18
    assert trends.audit_variation(table, "attack", 1).holds
    assert trends.audit_variation(table, "defence", -1).holds
    # 2 data sets, 3 lines, 2 steps, 2 numbers
    assert trends.audit_variation(table, "attack", 1).trials == 24
    planted = {**table, ("CIFAR10", 4, 16): (0.2, 0.2)}
    assert not trends.audit_variation(planted, "defence", -1).holds
    with pytest.raises(ValueError, match="along must be 'attack' or 'defence'"):
        trends.audit_variation(table, "time", 1)
