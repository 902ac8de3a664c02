"""Parameters checked from the source alone, before a kernel starts."""

import json

import pytest

from nbsrc.building.parameters import check_parameters, parse_value
from nbsrc.building.source import read_source


@pytest.fixture
def edited(new_notebook):
    """A source whose parameters cell (number 1) or checking cell (number 2) was replaced."""

    def edit(number=None, code=""):
        path = new_notebook([])
        document = json.loads(path.read_text())
        if number:
            document["cells"][number]["source"] = code
        path.write_text(json.dumps(document))
        return read_source(path)

    return edit


def test_defaults_and_given_values_together(edited):
    assert check_parameters(edited(), {"seed": 5}) == {"tier": "book", "seed": 5}


def test_an_unknown_parameter_names_the_notebook_and_the_allowed_ones(edited):
    with pytest.raises(ValueError, match=r"01_tiny.ipynb: unknown parameter sead = 1.*seed: int"):
        check_parameters(edited(), {"sead": 1})


def test_a_wrong_type_is_refused(edited):
    with pytest.raises(TypeError, match="seed = 'x'"):
        check_parameters(edited(), {"seed": "x"})


def test_a_default_outside_the_choices_is_refused(edited):
    with pytest.raises(ValueError, match="tier = 'big'"):
        check_parameters(edited(1, "tier = 'big'\nseed = 0"), {})


@pytest.mark.parametrize("code", ["n = 10\nn2 = n * n", "import os", "a = b = 1", "x.y = 2"])
def test_a_parameters_cell_that_computes_is_refused(edited, code):
    with pytest.raises(ValueError, match="may only hold 'name = literal'"):
        check_parameters(edited(1, code), {})


def test_a_notebook_that_does_not_check_its_parameters_is_refused(edited):
    with pytest.raises(ValueError, match=r"does not call notebook\.parameters"):
        check_parameters(edited(2, "print(1)"), {})


def test_an_allowed_value_that_is_computed_is_refused(edited):
    code = "from nbsrc import notebook\nnotebook.parameters(globals(), tier=TIERS, seed=int)"
    with pytest.raises(ValueError, match="tier = TIERS must be a tuple of literals"):
        check_parameters(edited(2, code), {})


def test_the_command_line_reads_numbers_and_words():
    texts = ("1", "-2", "1e-3", "True", "None", "book", "8/255")
    assert [parse_value(text) for text in texts] == [1, -2, 0.001, True, None, "book", "8/255"]
