"""Recording separations, and what is recorded."""

from __future__ import annotations

import json
import math

import pytest
import torch

from nbsrc import separation_record
from nbsrc.files import project_root
from nbsrc.separation import separation
from nbsrc.separation_record import (
    NORMS,
    QUOTED,
    as_levels,
    digit_levels,
    main,
    measure,
    spot_check,
)

RECORDED = json.loads((project_root() / "results" / "A_separation.json").read_text())


def test_levels_undo_the_division_exactly() -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    for divisor in (255, 16):
        assert torch.equal(as_levels(levels.float() / divisor, divisor), levels)
    for wrong in (torch.tensor([0.5]), torch.tensor([-1.0]), torch.tensor([256 / 255])):
        with pytest.raises(ValueError, match="images must be integers from 0 to 255 divided by"):
            as_levels(wrong, 255)


def test_digits_are_whole_numbers() -> None:
    images, labels = digit_levels()
    assert images.shape == (1797, 1, 8, 8)
    assert (int(images.min()), int(images.max())) == (0, 16)
    assert labels.unique().tolist() == list(range(10))


def test_a_measurement_counts_every_point_and_a_spot_check_sees_an_error() -> None:
    points = tuple(part[:300] for part in digit_levels())
    numbers, found = measure(points, None, "l2", 16)
    assert sum(numbers["histogram"]["counts"]) == 300
    assert math.sqrt(numbers["levels"]) / 16 == numbers["distance"]
    assert spot_check(found, points, None, 16)["largest_difference"] < 1e-14
    other = separation(points[0], points[1], 2, divisor=15)
    assert spot_check(other, points, None, 16)["largest_difference"] > 0.05
    with pytest.raises(ValueError, match="points must have at least two classes"):
        measure((points[0], points[1] * 0), None, "l1", 16)


def test_recording_continues_where_it_stopped(tmp_path, monkeypatch) -> None:
    output = tmp_path / "separation.json"
    command = ["--data", "digits", "--output", str(output), "--norms"]
    assert main([*command, "l1"]) == 0
    first = json.loads(output.read_text())
    calls = []
    right = separation_record.measure

    def counting(*arguments):
        calls.append(arguments[2])
        return right(*arguments)

    monkeypatch.setattr(separation_record, "measure", counting)
    assert main([*command, "l1", "linf"]) == 0
    assert calls == ["linf"]
    both = json.loads(output.read_text())
    assert both["sets"]["digits"]["all"]["l1"] == first["sets"]["digits"]["all"]["l1"]


def test_the_record_is_complete() -> None:
    assert {"recorded", "versions", "processor", "threads"} <= set(RECORDED["provenance"])
    sets = RECORDED["sets"]
    assert set(sets["digits"]["all"]) == set(sets["mnist"]["train"]) == set(NORMS)
    for name in QUOTED:
        assert {"train", "test_train", "test"} <= set(sets[name])
    for entry in (e for s in sets.values() for p in s.values() if isinstance(p, dict)
                  for e in p.values()):  # fmt: skip
        assert sum(entry["histogram"]["counts"]) == entry["points"]
        assert entry["distance"] > 0
        assert entry["contradictions"] == []
        assert entry["pair_labels"][0] != entry["pair_labels"][1]
        assert entry["spot_check"]["largest_difference"] < 1e-9
        assert entry["seconds"] > 0


def test_recorded_digits_are_what_is_computed_now() -> None:
    for norm, ord in NORMS.items():
        entry = RECORDED["sets"]["digits"]["all"][norm]
        found = separation(*digit_levels(), ord, divisor=16)
        assert found.distance == entry["distance"]
        assert list(found.pair) == entry["pair"]


def test_quoted_linf_separations_are_multiples_of_one_level() -> None:
    for name, parts in QUOTED.items():
        for part, value in parts.items():
            entry = RECORDED["sets"][name][part]["linf"]
            assert entry["levels"] / 255 == entry["distance"]
            assert round(entry["distance"], 3) == value
