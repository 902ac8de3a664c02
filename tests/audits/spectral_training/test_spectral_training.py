"""The rules find what is planted, and not what is not there; the shams break every part."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from nbsrc.audits.spectral_training import around, judged, parts, records, settings, shams

PAIR = ("AT", "d.d. SNR")
PATHS = [("curve", "mean"), ("alignment", "adversarial", "mean")]


def run(sigma: float, robust: float, away: float, shared: float, align: float) -> dict[str, Any]:
    falls = [0.5, 0.4, 0.3, *[0.15] * 7, *[0.05] * 30]
    rays = [sigma, sigma * (1.3 if sigma > 5 else 1.0)]
    way = {
        "deviation": {"mean": [away / 2, away]},
        "relative": {"mean": [away / 20, away / 10]},
        "sigma": {"mean": rays},
    }
    linearity = {"radii": [0.5, 1.0], "adversarial": way, "random": way}
    return {
        "accuracy": {"test_accuracy": 0.9},
        "curve": {"radii": [1.0, 2.0], "mean": [robust, robust / 2], "se": [0.03, 0.03]},
        "linf curve": {"radii": [0.1, 0.2], "mean": [robust, robust / 2], "se": [0.03, 0.03]},
        "longer": {"mean": [robust - 0.05], "se": [0.03]},
        "spectrum": {
            "eps": 1.0,
            "features": {"mean": [sigma, 1.0]},
            "alignment": {"mean": falls},
            "random": {"mean": [0.1] * 40},
        },
        "alignment": {
            "radii": [0.5, 1.0],
            "adversarial": {"mean": [align, align - 0.1]},
            "random": {"mean": [0.05]},
        },
        "linearity": linearity,
        "linf linearity": linearity | {"eps": 0.1},
        "patterns": {
            "radii": [1.0],
            "data": {"mean": [shared], "se": [0.001]},
            "uniform": {"mean": [0.8], "se": [0.001]},
        },
    }


@pytest.fixture
def group() -> dict[str, Any]:
    plain, strong = run(10, 0.1, 9, 0.9, 0.4), run(4, 0.5, 1, 0.95, 0.6)
    return {
        "standard": [plain, copy.deepcopy(plain)], "AT": [strong, copy.deepcopy(strong)],
        "d.d. SNR": [strong, copy.deepcopy(strong)], "global SNR": [plain],
        "d.d. SNR, eval": [plain], "d.d. SNR, eval, a tenth": [plain],
    }  # fmt: skip


RULES: dict[str, parts.Rule] = {
    "damped": judged.damped,
    "aligned": lambda g: judged.aligned(g, ("standard", *PAIR)),
    "robust": lambda g: judged.robust(g, PAIR),
    "falling": lambda g: judged.falling(g, PAIR, ["global SNR"], "alignment"),
    "mode": judged.mode_decides,
    "linear": around.linear,
    "rays": around.sigma_on_rays,
    "shared": lambda g: around.more_shared(g, "data"),
    "unshared": around.unshared,
    "contributions": around.contributions,
    "attacks": judged.attacks,
    "equal": lambda g: judged.equal_curves(g, "standard", "global SNR", PATHS, 0.05),
}


@pytest.mark.parametrize("name", RULES)
def test_what_is_planted_is_found_and_every_part_can_fail(name: str, group: Any) -> None:
    found = parts.judge(RULES[name], {"planted": group})
    assert parts.all_hold(found.parts["planted"]), found.table()
    assert found.word == "reproduced"
    assert found.controlled


@pytest.mark.parametrize("name", RULES)
def test_plain_training_everywhere_is_not_what_the_paper_says(name: str, group: Any) -> None:
    sham = RULES[name](shams.same_training(group))
    same = ("aligned", "unshared", "equal", "mode")
    assert name in same or not parts.all_hold(sham)


def test_a_part_that_no_sham_breaks_is_named(group: Any) -> None:
    def always(g: records.Group) -> parts.Parts:
        return {"true": parts.over("x", [1.0], [1.0])}

    found = parts.judge(always, {"planted": group})
    assert found.unbroken == ("planted: true",)
    assert not found.controlled
    nothing = parts.Judgement({"planted": {"false": parts.over("x", [-1.0], [1.0])}})
    assert not nothing.controlled


def test_seeds_that_only_one_method_has_are_left_out() -> None:
    assert parts.more([1.0, 2.0], [0.5], 0.2).trials == 1
    assert parts.ratio([1.0], [2.0, 1.0], 0.5).holds
    assert parts.near([1.0, 9.0], [1.0], [0.1, 0.1]).holds
    assert parts.errors([3.0, 1.0], [4.0]) == [10.0]


def test_a_part_must_hold_for_every_seed() -> None:
    assert not parts.more([1.0, 1.0], [0.5, 0.95], 0.2).holds


def test_summary_and_table(group: Any) -> None:
    yes, no = parts.over("a", [1.0], [0.25]), parts.over("a", [-1.0], [0.5])
    found = parts.Judgement({"one": {"a": yes, "b": no}, "two": {"a": yes}})
    assert found.word == "partly-reproduced"
    assert found.summary() == {"one": "1 of 2 parts; not: b", "two": "1 of 1 parts"}
    assert found.table().splitlines()[2:] == [
        "| a | yes (0.25) | yes (0.25) |", "| b | no (0.5) | – |",
    ]  # fmt: skip
    assert parts.Judgement({"one": {"b": no}}).word == "not-reproduced"


def test_ranks(group: Any) -> None:
    spectrum = group["AT"][0]["spectrum"]
    spectrum["alignment"]["mean"] = spectrum["alignment"]["mean"][::-1]
    found = judged.aligned(group, ["AT"])
    assert not found["AT falls"].holds
    assert not found["AT strong"].holds
    assert found["random network does not fall"].worst_slack == pytest.approx(0.2)


def test_the_place_of_the_training_radius(group: Any) -> None:
    assert records.training_place(group, "curve") == 0
    assert records.training_place(group, "linearity") == 1
    group["AT"][0]["curve"]["radii"] = [0.5, 1.0]
    assert records.training_place(group, "curve", "AT") == 1
    assert records.at(group, "AT", None, "curve", "mean")[0] == 0.25


def test_groups_and_the_papers_choice_of_strength() -> None:
    def made(label: str, seed: int, clean: float) -> dict[str, Any]:
        measures = {"accuracy": {"test_accuracy": clean}, "curve": {"mean": [seed]}}
        return {"label": label, "seed": seed, "status": "finished", "measures": measures}

    dd = "CNN7 d.d. SNR with batch statistics at lambda"
    runs = [made("CNN7 AT l2, 5 iterations", 0, 0.8), made("CNN7 standard", 1, 0.9),
            made("CNN7 standard", 0, 0.9), made(f"{dd} 0.03, 5 iterations", 0, 0.9),
            made(f"{dd} 0.3, 5 iterations", 0, 0.81), made("other", 0, 0.1),
            made("CNN7 standard", 2, 0.9) | {"status": "diverged"}]  # fmt: skip
    found = records.group_of(runs, records.CIFAR10)
    assert records.curve(found, "standard", "curve", "mean") == [[0.0], [1.0]]
    chosen = records.matched(found)
    assert chosen["d.d. SNR"] is found["d.d. SNR at 0.3"]
    assert "d.d. SNR at 0.3" not in chosen
    assert "d.d. SNR at 0.03" in chosen
    assert shams.same_training(found)["AT"][0]["curve"]["mean"] == [1]
    assert records.matched({"standard": found["standard"]}).keys() == {"standard"}


def test_losses_during_and_after_training() -> None:
    runs = [
        {"label": "batch norm standard", "seed": seed, "status": "finished",
         "history": [{"train_loss": None}, {"train_loss": 0.1 + seed}],
         "measures": {"accuracy": {"train_loss": 2.0 + seed}}} for seed in (0, 1)
    ]  # fmt: skip
    found = records.group_of(runs, records.BATCH_NORM)
    assert records.losses(found, "standard") == pytest.approx((0.6, 2.5))


def test_step_sizes_and_mixtures() -> None:
    def series(clean: list[float], robust: list[float]) -> settings.Series:
        return settings.Series([0.1, 1.0, 9.0], clean, robust, [[value] for value in robust])

    rising = series([0.9, 0.9, 0.8], [0.2, 0.6, 0.62])
    assert parts.all_hold(settings.levels_off(rising, 1.0))
    assert not settings.levels_off(rising, 0.1)["stays"].holds
    mixed = series([0.9, 0.9, 0.85], [0.55, 0.6, 0.58])
    assert parts.all_hold(settings.interpolates(mixed))
    one_seed = mixed._replace(by_seed=[[0.55, 0.5], [0.6, 0.6], [0.58, 0.6]])
    assert not settings.interpolates(one_seed)["equivalent ends"].holds
    for rule in (lambda s: settings.levels_off(s, 1.0), settings.interpolates):
        assert not any(part.holds for part in rule(settings.spoiled(rising)).values())
        assert settings.judge_series(rule, {"a": rising, "b": mixed}).unbroken == ()
    tame = settings.judge_series(lambda s: settings.levels_off(s, 1.0, flat=9.0), {"a": rising})
    assert tame.unbroken == ("a: stays",)


def test_series_are_means_over_seeds_in_the_order_of_the_settings() -> None:
    runs = [
        {"label": f"step {s}", "seed": seed, "status": "finished",
         "measures": {"accuracy": {"test_accuracy": 1.0}, "curve": {"mean": [s, s / 2 + seed]}}}
        for s in (2.0, 1.0) for seed in (1, 0)
    ]  # fmt: skip
    found = settings.series_of(runs, "step", 1)
    assert found == ([1.0, 2.0], [1.0, 1.0], [1.0, 1.5], [[0.5, 1.5], [1.0, 2.0]])
