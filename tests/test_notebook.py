"""`notebook.parameters` in every way a notebook is executed."""

import math
import subprocess
import sys
from typing import ClassVar

import pytest

from nbsrc import notebook

ALLOWED = {"tier": ("smoke", "book", "paper"), "seed": int}


def check(**values):
    return notebook.parameters(values, **ALLOWED)


def test_the_values_become_attributes():
    parameters = check(tier="smoke", seed=3)
    assert (parameters.tier, parameters.seed) == ("smoke", 3)
    assert list(parameters) == ["tier", "seed"]
    with pytest.raises(AttributeError, match="epochs"):
        _ = parameters.epochs


def test_an_unknown_parameter_names_itself_and_the_allowed_ones():
    with pytest.raises(ValueError, match=r"unknown parameter tire = 'x'.*'smoke'.*seed: int"):
        check(tier="book", seed=0, tire="x")


def test_a_missing_parameter_is_named():
    with pytest.raises(ValueError, match="seed is missing"):
        check(tier="book")


@pytest.mark.parametrize("tier", ["Book", 1, None, True])
def test_a_choice_outside_the_choices_is_refused(tier):
    with pytest.raises(ValueError, match=r"tier = .*'smoke' or 'book' or 'paper'"):
        check(tier=tier, seed=0)


def test_a_choice_must_have_the_type_of_the_choices():
    with pytest.raises(ValueError, match="size = True"):
        notebook.parameters({"size": True}, size=(1, 2))


@pytest.mark.parametrize("seed", ["1", 1.0, True, None, [1]])
def test_only_a_whole_number_is_an_int(seed):
    with pytest.raises(TypeError, match=r"seed = .* allowed is int"):
        check(tier="book", seed=seed)


def test_an_int_passes_for_a_float_and_becomes_one():
    eps = notebook.parameters({"eps": 1}, eps=float).eps
    assert type(eps) is float
    assert eps == 1.0


@pytest.mark.parametrize("eps", ["5e-4", "8/255", False])
def test_a_numeric_string_is_not_a_float(eps):
    with pytest.raises(TypeError, match="allowed is float"):
        notebook.parameters({"eps": eps}, eps=float)


@pytest.mark.parametrize("kind", [list, (), "int", 3])
def test_what_is_allowed_is_itself_checked(kind):
    with pytest.raises(TypeError, match="give a tuple of choices"):
        notebook.parameters({"x": 1}, x=kind)


def test_modules_functions_and_private_names_are_not_parameters():
    namespace = {"__name__": "__main__", "math": math, "f": len, "_": 3, "tier": "book", "seed": 0}
    assert notebook.parameters(namespace, **ALLOWED).seed == 0


def test_names_of_ipython_are_not_parameters():
    class Shell:
        user_ns_hidden: ClassVar = {"exit": 1, "banner": 1}

    namespace = {"get_ipython": Shell, "In": ["", "x"], "Out": {}, "banner": "hello", "exit": "x"}
    namespace |= {"tier": "book", "seed": 0}
    assert notebook.parameters(namespace, **ALLOWED).tier == "book"
    fresh = {"get_ipython": Shell, "banner2": "hello", "tier": "book", "seed": 0}
    with pytest.raises(ValueError, match="banner2"):
        notebook.parameters(fresh, **ALLOWED)


def test_plain_exec_of_the_cells():
    namespace = {"__name__": "__main__"}
    exec("tier = 'paper'\nseed = 1", namespace)
    exec(
        "from nbsrc import notebook\n"
        "p = notebook.parameters(globals(), tier=('smoke', 'book', 'paper'), seed=int)",
        namespace,
    )
    assert namespace["p"].tier == "paper"


def test_running_the_cell_again_ignores_later_variables_but_not_bad_values():
    namespace = {"tier": "book", "seed": 0}
    notebook.parameters(namespace, **ALLOWED)
    namespace["results"] = [1, 2]
    assert notebook.parameters(namespace, **ALLOWED).seed == 0
    namespace["seed"] = "1"
    with pytest.raises(TypeError, match="seed"):
        notebook.parameters(namespace, **ALLOWED)


def test_the_table_escapes_and_names_everything():
    table = notebook.parameters({"name": "<b>"}, name=str)._repr_html_()
    assert "&lt;b&gt;" in table
    assert "<b>" not in table
    assert "Parameters used" in table
    assert ">str<" in table


def papermill(source, target, *parameters):
    command = [sys.executable, "-m", "papermill", str(source), str(target), "--no-progress-bar"]
    return subprocess.run(
        [*command, *parameters], cwd=target.parent, capture_output=True, text=True, check=False
    )


def test_plain_papermill_refuses_an_unknown_parameter(new_notebook, tmp_path):
    done = papermill(new_notebook([]), tmp_path / "out.ipynb", "-p", "tire", "smoke")
    assert done.returncode != 0
    assert "unknown parameter tire = 'smoke'" in done.stderr
    assert "'smoke' or 'book' or 'paper'; seed: int" in done.stderr


def test_plain_papermill_runs_from_another_folder(new_notebook, tmp_path):
    source = new_notebook(["print(p.tier, p.seed + 1)"])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = papermill(source, elsewhere / "out.ipynb", "-p", "tier", "smoke", "-p", "seed", "1")
    assert done.returncode == 0, done.stderr
    assert "smoke 2" in (elsewhere / "out.ipynb").read_text()
