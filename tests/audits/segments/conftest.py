"""Cases that several tests share, built once; one thread."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from nbsrc.audits.segments.approaches import Approach, random_approaches, small_approaches
from nbsrc.audits.segments.paths import Path, random_paths, small_paths


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def paths() -> list[Path]:
    return [*small_paths(), *random_paths(60, 0)]


@pytest.fixture(scope="session")
def shallow(paths: list[Path]) -> list[Path]:
    return [p for p in paths if len(p.weights) == 1]


@pytest.fixture(scope="session")
def linear_top() -> list[Path]:
    return [*small_paths(linear_top=True), *random_paths(60, 1, linear_top=True)]


@pytest.fixture(scope="session")
def approaches() -> list[Approach]:
    return [*small_approaches(), *random_approaches(90, 0)]
