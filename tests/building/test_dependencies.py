"""The import scan finds everything that can change what a notebook gives."""

import pytest

from nbsrc.building.dependencies import DependencyScan, string_constants
from nbsrc.building.source import read_source

FILES = {
    "nbsrc/__init__.py": "",
    "nbsrc/direct.py": "import nbsrc.second\n",
    "nbsrc/second.py": "def f():\n    from nbsrc import lazy\n",
    "nbsrc/lazy.py": "from .package.inner import name\n",
    "nbsrc/package/__init__.py": "from nbsrc.package.other import *\n",
    "nbsrc/package/inner.py": "from ..relative import thing\nTABLE = 'table.json'\n",
    "nbsrc/package/other.py": "",
    "nbsrc/package/table.json": "{}",
    "nbsrc/relative.py": "import importlib\nimportlib.import_module('nbsrc.dynamic')\n",
    "nbsrc/dynamic.py": "from nbsrc import relative  # a cycle\n",
    "nbsrc/typed.py": "",
    "nbsrc/unused.py": "",
    "results/recorded.json": "{}",
    "results/other.json": "{}",
}


@pytest.fixture
def scan(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return DependencyScan(tmp_path / "nbsrc")


@pytest.fixture
def names(scan, new_notebook):
    def find(*cells):
        found = scan.of_source(read_source(new_notebook(list(cells))))
        return {path.relative_to(scan.root).as_posix() for path in found}

    return find


def test_transitive_lazy_relative_and_dynamic_imports_are_found(names):
    assert names("import nbsrc.direct") == {
        "nbsrc/__init__.py",
        "nbsrc/direct.py",
        "nbsrc/second.py",
        "nbsrc/lazy.py",
        "nbsrc/package/__init__.py",
        "nbsrc/package/inner.py",
        "nbsrc/package/other.py",
        "nbsrc/package/table.json",
        "nbsrc/relative.py",
        "nbsrc/dynamic.py",
    }


def test_a_module_imported_from_the_package_is_found(names):
    assert "nbsrc/unused.py" in names("from nbsrc import unused")
    assert "nbsrc/unused.py" not in names("from nbsrc import typed")


def test_imports_inside_functions_of_a_cell_are_found(names):
    assert "nbsrc/typed.py" in names("def f():\n    import nbsrc.typed as t\n    return t")


def test_recorded_results_that_are_named_are_found(names):
    cell = "path = root / 'results' / 'recorded.json'\nother = 'results/other.json'"
    assert {"results/recorded.json", "results/other.json"} <= names(cell)
    assert "results/other.json" not in names("'recorded.json'")


def test_magics_are_not_python(names):
    assert "nbsrc/typed.py" in names("%matplotlib inline\nimport nbsrc.typed", "%%bash\nls | wc")


def test_a_cell_that_does_not_parse_is_named(names):
    with pytest.raises(ValueError, match=r"01_tiny.ipynb: code cell 4 is not valid Python"):
        names("x = 1", "y = = 2")


def test_other_packages_are_ignored(names):
    assert names("import os, json\nfrom numpy import array") == {"nbsrc/__init__.py"}


def test_constants_of_the_code_are_collected(new_notebook):
    source = read_source(new_notebook(["with check('A.thm1.l1') as c:\n    pass"]))
    assert "A.thm1.l1" in string_constants(source)
