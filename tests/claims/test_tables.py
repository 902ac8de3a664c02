"""The transcribed tables agree with each other where the papers print a number twice."""

import pytest

from nbsrc.claims import row

MODELS = ("vgg", "resnet", "senet", "regnet")


def cells(name):
    """Yield (model, accuracy, column, value) of a table of paper A."""
    table = row(name)
    for model, lines in table.data.items():
        for accuracy, values in lines.items():
            for column, value in zip(table.columns, values, strict=True):
                yield (model, accuracy, column), value


@pytest.mark.parametrize(
    ("name", "columns"), [("A.tab2", 17), ("A.tab3", 21), ("A.tab4", 11), ("A.poster.table", 17)]
)
def test_the_accuracy_tables_have_their_shape(name, columns):
    table = dict(cells(name))
    assert len(row(name).columns) == len(set(row(name).columns)) == columns
    assert {key[0] for key in table} == set(MODELS)
    assert len(table) == len(MODELS) * 2 * columns
    assert all(0 <= value <= 100 for value in table.values())


@pytest.mark.parametrize("other", ["A.tab3", "A.poster.table"])
def test_table_2_agrees_with_its_repetitions(other):
    first, second = dict(cells("A.tab2")), dict(cells(other))
    common = set(first) & set(second)
    assert len(common) == len(first)  # both repeat every column of Table 2
    assert {key: first[key] for key in common} == {key: second[key] for key in common}


def test_the_plain_column_of_table_4_is_that_of_table_2():
    first, second = dict(cells("A.tab2")), dict(cells("A.tab4"))
    plain = [key for key in first if key[2] == "plain"]
    assert len(plain) == 8
    assert [first[key] for key in plain] == [second[key] for key in plain]


def test_table_1_has_six_kernels_and_positive_times():
    table = row("A.tab1")
    assert len(table.data) == 6
    assert all(value > 0 for line in table.data for value in line[1:])


def lines_of_c():
    """Yield every block of training results of paper C with a name."""
    for name in ("C.tab2", "C.tab3", "C.tab4", "C.tab5", "C.tab6"):
        data = row(name).data
        for block, lines in data.items():
            if block != "columns_AR":
                yield f"{name} {block}", len(data["columns_AR"]), lines


@pytest.mark.parametrize(
    ("name", "width", "lines"), [pytest.param(*case, id=case[0]) for case in lines_of_c()]
)
def test_the_differences_of_paper_c_are_differences(name, width, lines):
    assert all(len(values) == width for values in lines.values())
    for train, test, gap, step in (
        ("TrnLoss", "TestLoss", "dLoss", 1e-3),
        ("TestAcc", "TrnAcc", "dAcc", 1e-2),
    ):
        if gap not in lines:
            continue
        for low, high, difference in zip(lines[train], lines[test], lines[gap], strict=True):
            # all three are rounded, so the last digit may be off by one; a misread digit is more
            assert difference == pytest.approx(high - low, abs=1.01 * step), name


def test_table_6_of_paper_c_repeats_the_resnet_of_table_3():
    assert row("C.tab6").data["SPuncontrolled"] == row("C.tab3").data["ResNet-56"]


def test_table_2_of_paper_b_repeats_the_accuracies_of_its_setup():
    table, setup = row("B.tab2").data, row("B.setup-reg").data
    found = {line["method"]: line["acc"] for line in table["CNN7"]}
    assert found["standard"] == row("B.s710").data["cnn7_clean"]
    names = {"AT l2": "AT_l2", "AT linf": "AT_linf", "d.d. spectral norm": "ddSNR"}
    names |= {"d.d. operator norm": "ddONR", "global spectral norm": "globalSNR"}
    assert {names[key]: value for key, value in found.items() if key in names} == setup["cnn7"]
    wide = {line["method"]: line["acc"] for line in table["WRN_28_10"]}
    assert wide["standard"] == row("B.s710").data["wrn_clean"]
    assert {names[key]: wide[key] for key in wide if key in names} == setup["wrn"]
