"""Reading the printed tables."""

from __future__ import annotations

import pytest

from nbsrc.audits.printed_tables.cells import read_runs, select


def test_eleven_runs_with_their_strengths() -> None:
    runs = read_runs()
    assert len(runs) == 11
    assert [run.strengths for run in select(runs, data="Tiny-ImageNet")] == [(0, 4, 8, 16)]
    assert {run.strengths for run in runs if run.data != "Tiny-ImageNet"} == {(4, 8, 16)}
    assert {run.data for run in select(runs, table="C.tab2")} == {"CIFAR10", "CIFAR100"}


def test_numbers_are_exact_units() -> None:
    run = select(read_runs(), table="C.tab3", name="ResNet-56")[0]
    assert run.values["PGD"] == (6592, 6524, 7216)
    assert run.values["TestLoss"] == (683, 649, 650)
    assert run.shown("TestLoss", 2) == "0.650"
    assert run.words == "Table 3, CIFAR10, ResNet-56"


def test_planting() -> None:
    run = read_runs()[0]
    assert run.planted("dLoss", 0, 3).values["dLoss"][0] == run.values["dLoss"][0] + 3
    with pytest.raises(ValueError, match="has no cell 'PGD', 0"):
        run.planted("PGD", 0, 1)


def test_nothing_selected() -> None:
    with pytest.raises(ValueError, match="no run has table"):
        select(read_runs(), table="C.tab9")
