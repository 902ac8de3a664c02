"""Results become plain JSON values, and nothing else gets through."""

import json

import numpy as np
import pytest
import torch

from nbsrc.claims.plain import plain, plain_number


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (np.bool_(True), True),
        (torch.tensor(False), False),
        (3, 3),
        (np.int64(3), 3),
        (torch.tensor(3), 3),
        (0.5, 0.5),
        (np.float64(0.5), 0.5),
        (np.float32(0.5), 0.5),
        (torch.tensor(0.5), 0.5),
        (torch.tensor([[1.0, 2.0]], requires_grad=True), [[1.0, 2.0]]),
        (np.arange(3), [0, 1, 2]),
        ((1, (2, 3)), [1, [2, 3]]),
        (torch.Size([1, 2]), [1, 2]),
        ({2, 1}, [1, 2]),
        (range(2), [0, 1]),
        ({"a": np.float64(1.5), 3: (1,)}, {"a": 1.5, "3": [1]}),
        (float("inf"), "inf"),
        (-np.inf, "-inf"),
    ],
)
def test_values_become_plain(value, expected):
    got = plain(value, "value")
    assert got == expected
    assert type(got) is type(expected)
    json.dumps(got, allow_nan=False)


@pytest.mark.parametrize("value", [float("nan"), np.nan, torch.tensor([1.0, torch.nan])])
def test_nan_is_an_error_that_names_the_value(value):
    with pytest.raises(ValueError, match=r"slack.* is not a number"):
        plain({"slack": value}, "result")


@pytest.mark.parametrize("value", [object(), 1j, b"x", lambda: 0])
def test_other_things_are_an_error(value):
    with pytest.raises(TypeError, match="must be None, a bool, a number"):
        plain(value, "value")


@pytest.mark.parametrize("value", ["1", True, None, [1.0]])
def test_a_number_must_be_a_number(value):
    with pytest.raises(TypeError, match="must be a real number"):
        plain_number(value, "value")


def test_a_number_must_be_finite():
    with pytest.raises(ValueError, match="must be finite, got -inf"):
        plain_number(-np.inf, "value")


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), torch.tensor(2)])
def test_a_number_of_any_library_is_a_float(value):
    number = plain_number(value, "value")
    assert number == 2.0
    assert type(number) is float
