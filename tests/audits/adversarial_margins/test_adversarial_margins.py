"""Runs made by hand, statements true and planted false, and the exact audits."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from nbsrc.audits.adversarial_margins import exact, layers, matched, records, trends
from nbsrc.models import build_model


def a_run(radius: float, seed: int = 0, std: float = 1.0, **measures: Any) -> Any:
    rows = [{"name": n, "std": std * k, "maximum": 2.0 * std * k} for k, n in ((1, "a"), (2, "b"))]
    rows.append({"name": "bn", "std": None, "maximum": None})
    return {
        "label": f"AR {radius}", "template": "AR {radius}", "axes": {"radius": radius},
        "seed": seed, "status": "finished",
        "measures": {"spectra": {"layers": rows}, **measures},
    }  # fmt: skip


def gaps(train: float, test: float) -> dict[str, float]:
    return {"train_loss": train, "test_loss": test, "train_accuracy": 1 - train,
            "test_accuracy": 1 - test}  # fmt: skip


FALLING = {4.0: [3.0, 3.1], 8.0: [2.0, 2.9], 16.0: [1.0, 2.8]}


def test_runs_are_found_by_template_and_ordered() -> None:
    runs = [a_run(8), a_run(4, 1), a_run(4), {**a_run(16), "status": "diverged"}]
    groups = records.of_template(runs, "AR {radius}")
    assert list(groups) == [4.0, 8.0]
    assert [run["seed"] for run in groups[4.0]] == [0, 1]
    assert records.of_template(runs, "AR {radius}", bound=3) == {}


def test_a_clear_trend_and_planted_exceptions() -> None:
    assert trends.audit_trend(FALLING, -1).holds
    assert not trends.audit_trend(FALLING, 1).holds
    dent = {**FALLING, 8.0: [4.0, 4.0]}
    assert not trends.audit_trend(dent, -1).holds
    assert trends.in_the_mean(dent, -1)
    one_seed = {**FALLING, 16.0: [1.0, 3.5]}
    assert not trends.audit_trend(one_seed, -1).holds
    flat = {4.0: [1.0], 8.0: [1.0]}
    assert not trends.audit_trend(flat, 1).holds
    assert not trends.audit_trend({4.0: [1.0]}, 1).holds
    assert not trends.audit_trend({4.0: [1.0], 8.0: [math.nan]}, 1).holds


def test_words_follow_the_rule() -> None:
    dent = {**FALLING, 8.0: [4.0, 4.0]}
    assert trends.mixed_word([(FALLING, -1), (FALLING, -1)]) == "reproduced"
    assert trends.mixed_word([(FALLING, -1)], figure=True) == "partly-reproduced"
    assert trends.mixed_word([(FALLING, -1), (dent, -1)]) == "partly-reproduced"
    assert trends.mixed_word([(FALLING, -1), (dent, -1), (dent, -1)]) == "partly-reproduced"
    assert trends.mixed_word([(dent, -1), (FALLING, 1), (dent, 1)]) == "not-reproduced"
    assert trends.mixed_word([(FALLING, 1)]) == "not-reproduced"
    assert trends.mixed_word([]) == "not-reproduced"


def test_the_control_puts_seeds_in_the_place_of_strengths() -> None:
    assert records.transposed(FALLING) == {0.0: [3.0, 2.0, 1.0], 1.0: [3.1, 2.9, 2.8]}
    table = {4.0: [1.0, 1.5], 8.0: [3.0, 3.5]}
    one_seed = {4.0: [1.0], 8.0: [0.5]}  # nothing to compare
    by_radius, by_seed = trends.over_seeds([(table, 1), (one_seed, -1)])
    assert by_radius == pytest.approx(4 / 4.25)
    assert by_seed == pytest.approx(0.25 / 4.25)
    assert trends.over_seeds([(records.transposed(table), 1)]) == (by_seed, by_radius)
    assert trends.explained({4.0: [1.0], 8.0: [1.0]}) == 0.0
    assert trends.over_seeds([]) == (0.0, 0.0)


def test_values_of_runs() -> None:
    attacked = a_run(4, **{f"PGD {r}": {"value": v} for r, v in (("4", 0.5), ("16", 0.25))})
    assert records.survived_radius(attacked, ["4", "16"]) == 4 * 0.5 + 12 * 0.25
    run = a_run(4, gaps=gaps(0.25, 0.75), margins={
        "edges": [-1.0, 0.0, 0.5, 1.0], "test": {"counts": [1, 2, 1], "mean": None}})  # fmt: skip
    assert records.gap(run) == 0.5
    assert records.gap(run, "accuracy") == 0.5
    assert records.histogram_share(run, "margins", "test", -1, 0.5) == 0.75
    with pytest.raises(ValueError, match="edges of the histogram"):
        records.histogram_share(run, "margins", "test", -0.9, 0.5)
    histogram = {"probability_edges": [0.0, 0.2, 0.8, 1.0], "test": {"probabilities": [3, 1, 4]}}
    sure = a_run(4, predictions=histogram)
    assert records.histogram_share(sure, "predictions", "test", 0.2, 0.8) == 0.125
    with pytest.raises(ValueError, match=r"got 0\.1 and 0\.8"):
        records.histogram_share(sure, "predictions", "test", 0.1, 0.8)
    assert math.isnan(records.reader("margins", "test", "mean")(run))
    assert records.layer_values(run, "std") == {"a": 1.0, "b": 2.0}
    assert math.isnan(records.histogram_moments([0, 1, 2], [3, 0])[2])
    assert records.histogram_moments([0, 1, 2, 3], [6, 1, 1])[2] > 0


def test_most_layers_and_planted_exceptions() -> None:
    groups = {4.0: [a_run(4), a_run(4, 1)], 16.0: [a_run(16, 0, 0.5), a_run(16, 1, 0.5)]}
    pairs = layers.end_pairs(groups)
    assert [(one["seed"], two["seed"]) for one, two in pairs] == [(0, 0), (1, 1)]
    assert layers.audit_most_layers(pairs, "std").holds
    turned = [(two, one) for one, two in pairs]
    assert not layers.audit_most_layers(turned, "std").holds
    assert layers.most_word([pairs], ["std"]) == "reproduced"
    assert layers.most_word([turned], ["std"]) == "not-reproduced"
    assert layers.most_word([pairs, turned], ["std"]) == "partly-reproduced"
    assert layers.most_word([pairs, turned, turned], ["std"]) == "not-reproduced"
    assert layers.most_word([], ["std"]) == "not-reproduced"
    chance = layers.seed_pairs(groups)
    assert [(one["seed"], two["seed"]) for one, two in chance] == [(1, 0), (1, 0)]
    assert not layers.audit_most_layers(chance, "std").holds
    uneven = {4.0: [a_run(4), a_run(4, 1, 0.5)]}
    assert layers.audit_most_layers(layers.seed_pairs(uneven), "std").holds  # it can fail
    assert layers.mean_log_ratio(*pairs[0], "std") == pytest.approx(math.log(0.5))
    assert layers.end_pairs({4.0: []}) == []
    assert layers.audit_bounded(groups[16.0], 2.0).holds
    assert not layers.audit_bounded(groups[4.0], 2.0).holds


def test_changes_of_layers_are_read_by_path() -> None:
    changes = {"layers": ["a", "b"], "random": {"gain_std": [1.0, None]}}
    small = {"layers": ["a", "b"], "random": {"gain_std": [0.5, 1.0]}}
    one, two = a_run(4, **{"layer changes": changes}), a_run(16, **{"layer changes": small})
    assert layers.change_values(one, "random", "gain_std") == {"a": 1.0}
    assert layers.share_below(two, one, "random/gain_std") == 1.0


def test_curves_are_read_at_equal_confidence() -> None:
    found = {"mean_abs_raw": 2.0, "loss": [1.0, 0.5, 0.7], "near_zero": [0.4, 0.2, 0.1]}
    train = {"mean_abs_raw": 2.0, "loss": [1.0, 0.4, 0.2]}
    run = a_run(4, rescaled={"factors": [0.5, 1.0, 2.0], "test": found, "train": train})
    assert matched.at_factor(run, 1.0, "test", "loss") == 0.5
    assert matched.at_mean_margin(run, 1.0, "test", "near_zero") == pytest.approx(0.4)
    assert math.isnan(matched.at_mean_margin(run, 100.0, "test", "near_zero"))
    assert matched.rescaled_gap(run, 0.4) == pytest.approx(0.1)
    assert matched.rescaled_gap(run, 0.3) == pytest.approx((0.1 + 0.5) / 2)


def test_stopped_runs_at_equal_training_loss() -> None:
    stopped = [a_run(0, gaps=gaps(loss, loss + more)) for loss, more in ((0.1, 0.4), (0.4, 0.2))]
    run = a_run(4, gaps=gaps(0.2, 0.9))
    assert matched.stopped_gap(run, stopped) == pytest.approx(0.3)
    assert math.isnan(matched.stopped_gap(a_run(4, gaps=gaps(0.9, 1.0)), stopped))


def test_gaps_beyond_fitting_and_planted_exception() -> None:
    curve = {"factors": [0.5, 1.0], "train": {"loss": [0.4, 0.1]}, "test": {"loss": [0.7, 0.5]}}
    plain = [
        a_run(0, gaps=gaps(loss, loss + more), rescaled=curve) | {"axes": {"parts": parts}}
        for loss, more, parts in ((0.1, 0.4, 24), (0.4, 0.2, 4))
    ]
    assert matched.audit_beyond_fitting([a_run(4, gaps=gaps(0.2, 0.3))], plain).holds
    assert matched.audit_beyond_fitting([a_run(4, 1, gaps=gaps(0.2, 0.3))], plain).holds
    assert not matched.audit_beyond_fitting([a_run(4, gaps=gaps(0.2, 0.6))], plain).holds
    assert not matched.audit_beyond_fitting([a_run(4, gaps=gaps(9, 9))], plain).holds  # no case
    assert matched.audit_gap_follows_scale(plain, 0.5, 0.8).holds
    assert not matched.audit_gap_follows_scale(plain, 0.5, 0.7).holds


def test_rescaled_networks_and_planted_bug() -> None:
    assert exact.audit_rescaled(range(8)).holds
    assert exact.audit_rescaled(range(8), 2.0**-20).holds
    assert not exact.audit_rescaled(range(8), shift=0.5).holds
    assert not exact.audit_rescaled(range(8), -1.0).holds


def test_reach_of_pgd() -> None:
    assert exact.audit_reach((4, 8, 10), 10, 2).holds
    found = exact.audit_reach((4, 8, 16), 10, 2)
    assert found.counterexample == {"radius": 16, "way": 32, "steps cover": 20}
    assert exact.audit_reach((11, 16), 10, 2, short=True).holds
    assert not exact.audit_reach((10, 16), 10, 2, short=True).holds


def test_balls_that_meet_and_layers_that_count() -> None:
    images = torch.tensor([[0.0], [0.25], [1.0], [1.5]])
    labels = torch.tensor([0, 1, 0, 0])
    assert exact.share_of_close_pairs(images, labels, 0.125) == 0.5
    assert exact.share_of_close_pairs(images, labels, 0.1) == 0.0
    assert exact.share_of_close_pairs(images, torch.zeros(4), 10.0) == 0.0
    model = nn.ModuleDict({"a": nn.Conv2d(1, 1, 1), "downsample": nn.Conv2d(1, 1, 1),
                           "b": nn.Sequential(nn.ReLU(), nn.Linear(1, 1))})  # fmt: skip
    assert exact.weight_layer_count(model) == 2


def test_networks_are_described_and_a_planted_difference_is_seen() -> None:
    generator = torch.Generator().manual_seed(0)
    net = build_model("resnet32_fixup", generator=generator, small_images=True, width=0.25)
    printed = {"layers": 32, "groups": [5, 5, 5], "widths": [4, 8, 16], "stem": [3, 1, 1],
               "max pools": 0, "dropouts": 0, "batch norm": False}  # fmt: skip
    assert exact.audit_described(net, printed).holds
    wrong = exact.audit_described(net, {**printed, "stem": [7, 2, 3]})
    assert wrong.counterexample == {"stem": [3, 1, 1], "printed": [7, 2, 3]}
