"""Setup, rows, the gradual turn, factors, and the sign of the loss."""

from __future__ import annotations

from nbsrc.audits.printed_tables import sentences
from nbsrc.audits.printed_tables.cells import read_runs, select

RUNS = read_runs()


def test_setup() -> None:
    assert sentences.audit_setup(RUNS).holds
    run = select(RUNS, table="C.tab3")[0]
    assert not sentences.audit_setup([*RUNS, sentences.with_strengths(run, (0, 4, 8))]).holds
    fewer = [r for r in RUNS if (r.table, r.name) != ("C.tab4", "ResNet-110")]
    assert sentences.audit_setup(fewer).counterexample == "Table 4 has no ResNet-110"


def test_rows_of_table_2() -> None:
    chosen = select(RUNS, table="C.tab2")
    assert sentences.audit_rows(chosen, ("TestAcc",)).holds
    found = sentences.audit_rows(chosen, ("TrnAcc", "TestAcc"))
    assert found.counterexample == "Table 2, CIFAR10, ResNet-56, FGSM has no row TrnAcc"


def test_the_turn_is_not_gradual() -> None:
    bounds = [select(RUNS, name=name)[0] for name in ("SPuncontrolled", "SP5", "SP3", "SP1")]
    found = sentences.audit_gradual(bounds, "dAcc")
    assert not found.holds
    assert "+0.43 with SPuncontrolled and by +0.6 with SP5" in found.counterexample
    planted = [bounds[0].planted("dAcc", 2, 100), bounds[1].planted("dAcc", 2, 40), *bounds[2:]]
    assert sentences.audit_gradual(planted, "dAcc").holds
    assert not sentences.audit_gradual(planted[:3], "dAcc").holds


def test_factor() -> None:
    groups = {"CIFAR10": [("4.7465", "0.1158"), ("0.4372", "0.0312")]}
    assert sentences.audit_factor(groups, 10).holds
    assert not sentences.audit_factor(groups, 11).holds


def test_sign() -> None:
    grid = [0.1, 0.5, 1.0]
    assert sentences.audit_sign_of_loss(grid, minus=True).holds
    found = sentences.audit_sign_of_loss(grid, minus=False)
    assert found.counterexample == "probability 0.5: loss -0.693"
