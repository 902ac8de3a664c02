"""The chain of reasoning: its numbers, the arrows they break, and planted errors."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nbsrc.audits.robustness import chain
from nbsrc.audits.robustness.chain import Links


@pytest.fixture(scope="module")
def links() -> dict[str, Links]:
    return {x.name: x for x in chain.measured_chain()}


def link(name: str, **changes: float) -> Links:
    plain = Links(name, 3.2, 19.2, 6.4, 0.0, 1.0, decided=True)
    return replace(plain, **changes)


def test_all_points_are_decided(links: dict[str, Links]) -> None:
    assert len(links) == 7
    assert all(x.decided for x in links.values())
    assert [x.robust_accuracy for x in links.values()] == [1, 1, 1, 1, 1, 1, 0]


def test_constants_are_ordered(links: dict[str, Links]) -> None:
    for x in links.values():
        assert x.local_constant <= x.global_constant <= x.product * (1 + 1e-9)
        assert x.product <= x.layer_norm**4 * (1 + 1e-9)  # four layers


def test_inflated_keeps_the_constant(links: dict[str, Links]) -> None:
    plain, inflated = links["plain"], links["inflated"]
    assert inflated.layer_norm >= chain.LARGE
    assert inflated.product >= chain.LARGE**4
    assert inflated.global_constant == pytest.approx(plain.global_constant, rel=1e-12)
    assert plain.local_constant == inflated.local_constant == 0


def test_steep_ones_are_steep_where_they_should_be(links: dict[str, Links]) -> None:
    for name in ("cliff outside", "cliff between"):
        assert links[name].global_constant >= chain.LARGE
        assert links[name].local_constant == 0
    assert links["zigzag inside"].local_constant >= chain.LARGE


def test_gentle_ones_agree_in_all_but_robustness(links: dict[str, Links]) -> None:
    right, wrong, plain = links["gentle"], links["gentle and wrong"], links["plain"]
    for x in (right, wrong):
        assert x.layer_norm == pytest.approx(plain.layer_norm)
        assert x.global_constant == pytest.approx(1e-6 * plain.global_constant)
        assert x.product == pytest.approx(1e-6 * plain.product)
    assert (right.robust_accuracy, wrong.robust_accuracy) == (1, 0)


def test_arrows(links: dict[str, Links]) -> None:
    measured = list(links.values())
    assert chain.arrows_broken_by(measured) == {
        "1 (layers to global)": "inflated",
        "2 (global to local)": "cliff outside",
        "3 (local to wrong)": "zigzag inside",
    }
    assert chain.audit_broken_arrows(measured).holds
    first = chain.audit_broken_arrows([links["plain"], links["cliff outside"]])
    assert first.counterexample == {"arrow": "1 (layers to global)", "broken by": "none"}
    second = chain.audit_broken_arrows([links["plain"], links["inflated"]])
    assert second.counterexample == {"arrow": "2 (global to local)", "broken by": "none"}


@pytest.mark.parametrize(
    "almost",
    [
        link("inflated", layer_norm=1e7, global_constant=6.5),  # its constant grew
        link("inflated", layer_norm=9e5),  # not large
        link("cliff", global_constant=1e7, local_constant=1e-3),  # not flat on the balls
        link("zigzag", global_constant=1e7, local_constant=1e7, robust_accuracy=0.75),
    ],
)
def test_arrows_need_both_sides(almost: Links) -> None:
    assert set(chain.arrows_broken_by([link("plain"), almost]).values()) == {"none"}


def test_norms_never_matter() -> None:
    """Robust for 2/3 < T < 6/5: at T = 6/5 the ball of 1 reaches the output 5/2."""
    found = chain.audit_norms_never_matter(steps=20)
    assert not found.holds
    assert found.counterexample == {"F": "1 + 6/5 x", "norm": 1.2, "robust accuracy": 0.5}
    assert found.worst_slack == -1  # at T = 4 none is left
    assert chain.audit_norms_never_matter(steps=4).worst_slack == -1
    assert chain.audit_norms_never_matter(steps=4).counterexample["F"] == "1 + 2 x"


def test_norms_do_not_decide(links: dict[str, Links]) -> None:
    measured = list(links.values())
    assert chain.audit_norms_do_not_decide(measured).holds
    assert not chain.audit_norms_do_not_decide(measured[:1]).holds
    no_equal = [x for x in measured if x.name != "gentle and wrong"]
    found = chain.audit_norms_do_not_decide(no_equal)
    assert found.counterexample == {"missing": "equal norms, one robust, one not at all"}
    no_far = [links["gentle"], links["gentle and wrong"]]
    found = chain.audit_norms_do_not_decide(no_far)
    assert found.counterexample == {"missing": "robust networks with norms far apart"}
    nothing = chain.audit_norms_do_not_decide([links["gentle and wrong"]])
    assert nothing.worst_slack == -1
