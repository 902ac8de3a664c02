"""Experiment files are checked before anything runs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from nbsrc.experiment_plan import TIERS, read_plan
from nbsrc.files import project_root

FILES = sorted((project_root() / "experiments").glob("*.yml"))


def content() -> dict[str, Any]:
    return {
        "name": "small",
        "description": "A test.",
        "data": {"name": "digits"},
        "model": {"name": "digits_cnn"},
        "training": {"batch_size": 32, "learning_rate": 0.1},
        "record": {"norms": [1, "inf", "fro"]},
        "runs": {"plain": {}, "decayed": {"weight_decay": 0.01}},
        "tiers": {
            "smoke": {"epochs": 1, "train_images": 40, "test_images": 20},
            "book": {"epochs": 2},
            "paper": {"epochs": 3, "seeds": 2, "train_images": "all"},
        },
    }


def write(folder: Path, table: object) -> Path:
    path = folder / "small.yml"
    path.write_text(yaml.safe_dump(table, sort_keys=False), encoding="utf-8")
    return path


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_projects_own_files_are_sound(path: Path) -> None:
    plan = read_plan(path)
    assert plan.name == path.stem
    assert set(plan.tiers) == set(TIERS)


def test_there_are_experiment_files() -> None:
    assert [path.stem for path in FILES if path.stem == "A_digits_norms"]


def test_a_plan_holds_what_the_file_says(tmp_path: Path) -> None:
    plan = read_plan(write(tmp_path, content()))
    assert plan.norms == (1, math.inf, "fro")
    assert plan.end_norms == ()
    settings = plan.settings("decayed", "paper")
    assert (settings.epochs, settings.batch_size, settings.weight_decay) == (3, 32, 0.01)
    assert plan.settings("plain", "book").weight_decay == 0.0
    assert plan.tiers["paper"].seeds == 2
    assert plan.tiers["smoke"].train_images == 40
    assert plan.tiers["paper"].train_images is None


def test_the_digest_follows_the_text_but_not_its_line_endings(tmp_path: Path) -> None:
    path = write(tmp_path, content())
    first = read_plan(path).digest
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_plan(path).digest == first
    path.write_text(path.read_text() + "# a remark\n")
    assert read_plan(path).digest != first


def changed(*keys: str, to: object) -> dict[str, Any]:
    table = content()
    place = table
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = to
    return table


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([1], "the file must be a mapping|the file has|got"),
        ({}, "the file lacks the keys"),
        (changed("extra", to=1), "the file has the unknown key 'extra'"),
        (changed("name", to="other"), "name must be that of the file, 'small', got 'other'"),
        (changed("description", to=" "), "description must be a text"),
        (changed("data", to="digits"), "data must be a mapping, got 'digits'"),
        (changed("data", "name", to="svhn"), "data.name must be one of .* got 'svhn'"),
        (changed("model", "name", to="lenet"), "model.name must be one of .* got 'lenet'"),
        (changed("model", "widths", to=[1]), "model has the unknown key 'widths'"),
        (changed("record", "norms", to=[3]), "record.norms must be a list .* got"),
        (changed("record", "norms", to=[True]), "record.norms must be a list"),
        (changed("record", "end_norms", to="fro"), "record.end_norms must be a list"),
        (changed("runs", to={}), "runs must be a mapping"),
        (changed("runs", "plain", to=None), "runs.plain must be a mapping, got None"),
        (changed("runs", "plain", to={"epochs": 3}), "runs.plain has the unknown key 'epochs'"),
        (changed("training", "learning_rate", to="5e-4"), "a number .in YAML 5.0e-4, not 5e-4"),
        (changed("training", "batch_size", to=1.5), "batch_size must be an integer, got 1.5"),
        (changed("training", "momentum", to=2.0), "runs.plain: momentum must be in"),
        (changed("tiers", "huge", to={"epochs": 1}), "tiers has the unknown key 'huge'"),
        (changed("tiers", "book", to={}), "tiers.book lacks the keys"),
        (changed("tiers", "book", "epochs", to=0), "tiers.book.epochs must be at least 1, got 0"),
        (changed("tiers", "book", "epochs", to=None), "tiers.book.epochs must be an integer"),
        (changed("tiers", "book", "epochs", to=True), "tiers.book.epochs must be an integer"),
        (changed("tiers", "book", "seeds", to="all"), "tiers.book.seeds must be an integer"),
        (changed("tiers", "book", "learning_rate", to=1), "tiers.book has the unknown key"),
    ],
)
def test_what_breaks_the_schema_is_named(tmp_path: Path, table: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"small.yml: .*(?:{message})"):
        read_plan(write(tmp_path, table))


def test_broken_yaml_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "small.yml"
    path.write_text("name: [")
    with pytest.raises(ValueError, match=r"small\.yml"):
        read_plan(path)
