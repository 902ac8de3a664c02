"""The small experiment file as a fixture."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.experiments.small import CONTENT, Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes content as small.yml and returns the path."""

    def written(content: object = CONTENT) -> Path:
        path = tmp_path / "small.yml"
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return path

    return written
