"""Small families of instances, shared by the tests of this folder."""

from __future__ import annotations

import pytest

from nbsrc.audits.connections.instances import (
    Instance,
    correct,
    random_instances,
    random_multiclass,
    small_instances,
)


@pytest.fixture(scope="session")
def cases() -> list[Instance]:
    """Two classes: every fourth whole-number instance and random ones."""
    whole = list(small_instances())
    return [*whole[:100], *whole[100::6], *random_instances(42, 0)]


@pytest.fixture(scope="session")
def right(cases: list[Instance]) -> list[Instance]:
    """The correctly classified ones."""
    return correct(cases)


@pytest.fixture(scope="session")
def many() -> list[Instance]:
    """Three classes and more."""
    return list(random_multiclass(15, 0))
