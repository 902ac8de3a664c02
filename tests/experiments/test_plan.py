"""Experiment files are checked before anything runs."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from nbsrc.experiments import read_plan
from nbsrc.experiments.sizes import TIERS
from nbsrc.files import project_root
from tests.experiments.small import CONTENT, Write, changed

FILES = sorted((project_root() / "experiments").glob("*.yml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_projects_own_files_are_sound(path: Path) -> None:
    plan = read_plan(path)
    assert plan.name == path.stem
    assert set(plan.tiers) >= set(TIERS)
    for tier in plan.tiers:
        assert plan.runs_of(tier)


def test_there_are_experiment_files() -> None:
    assert {"A_digits_norms", "D_mnist_binary", "D_mnist_multi"} <= {path.stem for path in FILES}


def test_a_plan_holds_what_the_file_says(write: Write) -> None:
    plan = read_plan(write())
    assert (plan.data, plan.classes, plan.history) == ("digits", (1, 7), "all")
    assert plan.norms == (1, math.inf)
    assert plan.end_norms == (2,)
    labels = [run.label for run in plan.runs]
    assert labels == [
        "reference",
        "JacobianPenalty 0.1",
        "JacobianPenalty 1",
        "Curvature 0.1",
        "Curvature 1",
    ]
    tuned = plan.runs[3]
    assert tuned.start == "reference"
    assert dict(tuned.axes) == {"penalty": "Curvature", "strength": 0.1}
    assert tuned.regularizer == ({"kind": "Curvature", "strength": 0.1},)
    assert (tuned.settings.learning_rate, tuned.settings.batch_size) == (0.05, 32)
    assert plan.runs[0].settings.learning_rate == 0.1
    assert tuned.slug == "curvature-0.1"


def test_a_tier_changes_sizes_only(write: Write) -> None:
    plan = read_plan(write())
    book = {run.label: run for run in plan.runs_of("book")}
    assert set(book) == {"reference", "JacobianPenalty 0.1", "Curvature 0.1"}
    assert book["reference"].settings.epochs == 2
    assert book["Curvature 0.1"].settings.epochs == 1
    assert book["reference"].seeds == 2
    paper = {run.label: run for run in plan.runs_of("paper")}
    for label, run in book.items():
        other = paper[label].as_dict() | {"settings": {}}
        assert run.as_dict() | {"settings": {}} == other


def test_sizes_may_depend_on_the_label(write: Write) -> None:
    sizes = {"epochs": {"Curvature*": 3, "*": 2}, "seeds": {"reference": 4, "*": 1}}
    table = changed("tiers", "book", to=sizes | {"attacked": {"FG*": 7, "*": 2}, "width": 0.5})
    plan = read_plan(write(table))
    runs = {run.label: run for run in plan.runs_of("book")}
    assert [run.settings.epochs for run in runs.values()] == [2, 2, 2, 3, 3]
    assert [run.seeds for run in runs.values()] == [4, 1, 1, 1, 1]
    assert {run.width for run in runs.values()} == {0.05}
    assert plan.tiers["book"].attacked_by("FGSM") == 7
    assert plan.tiers["book"].attacked_by("PGD") == 2
    with pytest.raises(ValueError, match=r"epochs has no pattern that fits 'reference'"):
        read_plan(write(changed("tiers", "book", "epochs", to={"Curvature*": 3})))


def test_milestones_in_epochs_scale_with_the_tier_and_those_in_steps_do_not(write: Write) -> None:
    table = changed("schedule", to={"kind": "StepDecay", "milestones": [50, 75, 90]})
    table["tiers"]["paper"]["epochs"] = 100
    table["tiers"]["book"] = {"epochs": 10}
    plan = read_plan(write(table))
    assert plan.runs_of("paper")[0].schedule == table["schedule"] | {"milestones": [50, 75, 90]}
    assert plan.runs_of("book")[0].schedule == table["schedule"] | {"milestones": [5, 8, 9]}
    table["schedule"]["unit"] = "steps"
    assert read_plan(write(table)).runs_of("book")[0].schedule == table["schedule"]


def test_a_runs_own_values_go_before_the_common_ones(write: Write) -> None:
    table = changed("runs", "reference", to={"measures": {"gaps": {"kind": "slopes"}}})
    table["regularizer"] = {"kind": "InputGradient", "strength": 1.0}
    runs = read_plan(write(table)).runs
    assert runs[0].measures["gaps"] == {"kind": "slopes"}
    assert runs[0].measures["FGSM"] == CONTENT["measures"]["FGSM"]
    assert runs[0].regularizer[0]["kind"] == "InputGradient"
    assert runs[1].regularizer[0]["kind"] == "JacobianPenalty"


GRID = "{penalty} {strength}"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([1], "the file must be a mapping"),
        ({}, "the file lacks the keys"),
        (changed("extra", to=1), "the file has the unknown key 'extra'"),
        (changed("name", to="other"), "name must be that of the file, 'small', got 'other'"),
        (changed("description", to=" "), "description must be a text"),
        (changed("data", to="digits"), "data must be a mapping, got 'digits'"),
        (changed("data", "name", to="emnist"), "data.name must be one of .* got 'emnist'"),
        (changed("data", "classes", to=[1]), "data.classes must be a list of two labels or more"),
        (changed("data", "classes", to=[1, 1]), "data.classes must differ"),
        (changed("model", "name", to="lenet"), "model.name must be one of .* got 'lenet'"),
        (changed("model", "widths", to=[1]), "model has the unknown key 'widths'"),
        (changed("model", "width", to=0), "model.width must be positive, got 0"),
        (changed("record", "norms", to=[3]), "record.norms must be a list .* got"),
        (changed("record", "norms", to=[True]), "record.norms must be a list"),
        (changed("record", "end_norms", to="fro"), "record.end_norms must be a list"),
        (changed("record", "history", to="none"), "record.history must be one of"),
        (changed("runs", to={}), "runs must be a mapping"),
        (changed("runs", "reference", to=None), "runs.reference must be a mapping, got None"),
        (changed("runs", "reference", to={"epochs": 3}), "runs.reference has the unknown key"),
        (changed("runs", "reference", to={"start": "none"}), "start must be a run before it"),
        (changed("runs", GRID, "over", to={}), "over must be a mapping"),
        (changed("runs", GRID, "over", "strength", to=1), "over.strength must be a list, got 1"),
        (changed("runs", GRID, "start", to="{net}"), "'{net}' names 'net', axes"),
        (changed("runs", "a", to={"over": {"s": [1]}}), "the label must contain {s}"),
        (changed("runs", "Reference", to={}), "share a name of file"),
        (changed("training", "learning_rate", to="5e-4"), "a number .in YAML 5.0e-4, not 5e-4"),
        (changed("training", "batch_size", to=1.5), "batch_size must be an integer, got 1.5"),
        (changed("training", "momentum", to=2.0), "runs.reference: momentum must be in"),
        (changed("regularizer", to={"kind": "Dropout"}), "regularizer.kind must be one of"),
        (
            changed("regularizer", to={"kind": "Curvature"}),
            r"regularizer lacks the keys .*strength",
        ),
        (
            changed("regularizer", to={"kind": "Curvature", "strength": "1e-2"}),
            "regularizer: '1e-2' is a text in YAML; a number is 5.0e-4, not 5e-4",
        ),
        (
            changed("regularizer", to={"kind": "NormDecay", "order": 1, "beta": 1, "layers": "fc"}),
            "regularizer.layers must be a list of patterns, got 'fc'",
        ),
        (
            changed("regularizer", to={"kind": "Trades", "threat": 0.1}),
            "regularizer.threat must be a mapping, got 0.1",
        ),
        (
            changed("regularizer", to={"kind": "Trades", "threat": {"epsilon": 0.1}}),
            "regularizer.threat has the unknown key 'epsilon'; allowed: .*'eps'",
        ),
        (
            changed("regularizer", to={"kind": "Curvature", "strength": -1}),
            r"strength must be in \[0, inf\)",
        ),
        (
            changed("regularizer", to={"kind": "Curvature", "strength": 1, "generator": 0}),
            "unknown key 'generator'",
        ),
        (changed("schedule", to={"kind": "Cosine"}), "schedule.kind must be one of"),
        (changed("schedule", to={"kind": "StepDecay", "milestones": [3, 2]}), "milestones must"),
        (changed("schedule", to={"kind": "StepDecay"}), r"schedule lacks the keys .*milestones"),
        (changed("schedule", to={"kind": "StepDecay", "milestones": "3"}), "milestones must be"),
        (changed("augmentation", to={"kind": "CropAndFlip", "padding": -1}), "padding must be"),
        (
            changed("augmentation", to={"kind": "CropAndFlip", "pading": 1}),
            "augmentation has the unknown key 'pading'; allowed: .*'padding'",
        ),
        (changed("measures", "FGSM", "eps", to="1e-1"), "'1e-1' is a text in YAML"),
        (
            changed("measures", "FGSM", to={"kind": "fgsm"}),
            r"measures.FGSM lacks the keys \['eps'\]",
        ),
        (
            changed("measures", "FGSM", to={"kind": "pgd", "eps": 0.1, "steps": "ten"}),
            "measures.FGSM.steps must be an integer, got 'ten'",
        ),
        (changed("measures", "FGSM", to={"kind": "none"}), "measures.FGSM.kind must be one of"),
        (
            changed("measures", "gaps", "eps", to=1),
            r"measures.gaps has the unknown key 'eps'; allowed: \('kind', 'images'\)",
        ),
        (changed("tiers", "huge", to={"epochs": 1}), "tiers.huge lacks the keys .*reductions"),
        (changed("tiers", "short", "of", to="short"), "tiers.short.of is for further tiers"),
        (changed("tiers", "book", "of", to="paper"), "tiers.book.of is for further tiers"),
        (changed("tiers", "book", to={}), "tiers.book lacks the keys"),
        (changed("tiers", "book", "epochs", to=0), "tiers.book.epochs must be at least 1, got 0"),
        (changed("tiers", "book", "epochs", to=None), "tiers.book.epochs must be an integer"),
        (changed("tiers", "book", "epochs", to="all"), "tiers.book.epochs must be an integer"),
        (changed("tiers", "book", "epochs", to=True), "tiers.book.epochs must be an integer"),
        (changed("tiers", "book", "seeds", to="all"), "tiers.book.seeds must be an integer"),
        (changed("tiers", "book", "width", to=0), "tiers.book.width must be positive"),
        (changed("tiers", "book", "learning_rate", to=1), "tiers.book has the unknown key"),
        (changed("tiers", "book", "runs", to="*"), "tiers.book.runs must be a list of patterns"),
        (changed("tiers", "book", "runs", to=["x*"]), r"tiers.book.runs: 'x\*' fits no run"),
        (changed("tiers", "book", "runs", to=["ref*", "x"]), "tiers.book.runs: 'x' fits no run"),
        (
            changed("tiers", "book", "measures", to={"PDG": {"steps": 1}}),
            "tiers.book.measures must be one of .*'FGSM', 'gaps'.* got 'PDG'",
        ),
        (changed("tiers", "book", "runs", to=["Curv*"]), "tiers.book.runs leave out 'reference'"),
        (changed("tiers", "book", "seeds", to={"ref*": 1, "*": 2}), "'reference' has fewer than"),
        (
            changed("tiers", "book", "measures", to={"FGSM": {"eps": 1}}),
            "tiers.book.measures.FGSM has the unknown key 'eps'",
        ),
    ],
)
def test_what_breaks_the_schema_is_named(write: Write, table: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"small.yml: .*(?:{message})"):
        read_plan(write(table))


def test_broken_yaml_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "small.yml"
    path.write_text("name: [")
    with pytest.raises(ValueError, match=r"small\.yml"):
        read_plan(path)
