"""The charts of the printed tables show what the audits find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import matplotlib.pyplot as plt
import pytest

from nbsrc.audits.printed_tables.cells import read_runs, select
from nbsrc.plots import printed_tables as plots

RUNS = read_runs()


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def test_states_of_cells() -> None:
    run = select(RUNS, table="C.tab3", name="ResNet-110")[0]
    assert plots.cell_state(run, "PGD", 2) == "impossible"
    assert plots.cell_state(run, "PGD", 1) == plots.cell_state(run, "dAcc", 0) == "agrees"
    assert plots.cell_state(run.planted("dAcc", 0, 1), "dAcc", 0) == "off by one in the last digit"
    assert plots.cell_state(run.planted("dAcc", 0, 2), "dAcc", 0) == "impossible"
    assert plots.cell_state(run, "TrnAcc", 0) == "not checkable"


def test_audit_chart_has_every_cell() -> None:
    _, rows = plots.draw_audit(RUNS)
    assert len(rows) == sum(len(run.values) * len(run.strengths) for run in RUNS)
    states = Counter(row["state"] for row in rows)
    assert states["impossible"] == 1
    assert states["off by one in the last digit"] == 3


def test_gaps_and_robust_accuracy() -> None:
    full = [run for run in RUNS if "PGD" in run.values]
    figure, rows = plots.draw_gaps(full)
    assert len(rows) == sum(len(run.strengths) for run in full)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["loss gap (left)", "accuracy gap, points (right)"]
    _, rows = plots.draw_robust(full[:5])
    assert all(row["of all images"] <= row["of correct images"] for row in rows)


def test_layers() -> None:
    _, rows = plots.draw_layers({"one": ("4.7465", "0.1158"), "two": ("0.4372", "0.1103")})
    assert [row["whole"] for row in rows] == ["41", "none"]
