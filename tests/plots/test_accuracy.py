"""Maps and scatter plots of tables of accuracies."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pytest

from nbsrc.audits.accuracy_tables import read_table
from nbsrc.plots.accuracy import draw_changes, draw_tradeoff


@pytest.fixture(autouse=True)
def _close() -> None:
    yield
    plt.close("all")


@pytest.mark.parametrize(("name", "runs"), [("A.tab2", 64), ("A.tab3", 80), ("A.tab4", 40)])
def test_every_change_is_written_into_its_cell(name, runs) -> None:
    figure, rows = draw_changes(read_table(name))
    assert len(rows) == runs
    for axis, key in zip(figure.axes, ("clean_change", "robust_change"), strict=True):
        texts = [t.get_text().replace("\N{MINUS SIGN}", "-") for t in axis.texts]
        numbers = sorted(float(t) for t in texts if t[-1].isdigit())
        assert numbers == sorted(row[key] for row in rows)
        assert axis.images[0].get_array().shape == (runs // 4, 4)


def test_colours_follow_the_sign() -> None:
    table = read_table("A.tab2")
    figure, _ = draw_changes(table)
    shade = figure.axes[1].images[0].get_array()
    assert shade[0, 0] < 0 < shade[2, 0]  # vgg: weight decay 1e-3 loses nothing, 1e-2 loses
    assert figure.get_size_inches()[0] <= 7


def test_marked_columns_have_a_star() -> None:
    figure, _ = draw_changes(read_table("A.tab3"), marked=["svc0.1"])
    labels = [t.get_text() for t in figure.axes[0].get_yticklabels()]
    assert [label for label in labels if label.endswith("*")] == ["0.1*"]


def test_tradeoff_names_the_correlation_of_each_model() -> None:
    figure, rows = draw_tradeoff(read_table("A.tab2"))
    assert [a.get_title() for a in figure.axes[:4]] == [
        "VGG: correlation +0.66", "ResNet: correlation +0.28",
        "SENet: correlation \N{MINUS SIGN}0.25", "RegNet: correlation \N{MINUS SIGN}0.44",
    ]  # fmt: skip
    assert len(rows) == 4 * 17
