"""Reading a source notebook without nbformat."""

import json

import pytest

from nbsrc.building.source import Settings, read_source


def test_cells_title_and_settings(new_notebook):
    source = read_source(new_notebook(["x = 1"], {"runs": ["A_x"], "timeout": 5, "threads": 2}))
    assert source.title == "A title"
    assert source.stem == "01_tiny"
    assert source.code[-1] == "x = 1"
    assert source.tags[0] == {"parameters"}
    assert source.settings == Settings(runs=("A_x",), timeout=5, threads=2)


def test_without_settings_the_usual_ones_hold(new_notebook):
    assert read_source(new_notebook([])).settings == Settings()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"timeout": "60"}, "timeout = '60'"),
        ({"timeout": 0}, "timeout = 0"),
        ({"threads": True}, "threads = True"),
        ({"runs": "A_x"}, "runs = 'A_x'"),
        ({"runs": [1]}, r"runs = \[1\]"),
        ({"time": 60}, "unknown nbsrc setting 'time'; allowed: runs, timeout, threads"),
    ],
)
def test_wrong_settings_are_named(new_notebook, settings, message):
    with pytest.raises(ValueError, match=message):
        read_source(new_notebook([], settings))


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"worksheets": []})])
def test_a_file_that_is_no_notebook_is_named(tmp_path, text):
    path = tmp_path / "x.ipynb"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"x\.ipynb is not a notebook of format 4"):
        read_source(path)
