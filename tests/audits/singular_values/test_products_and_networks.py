"""Dropped rows, products, rescaled networks, padding, gaps and concentration."""

from __future__ import annotations

import itertools

import pytest
import torch

from nbsrc.audits.singular_values import (
    complexity,
    concentration,
    generalisation,
    interlacing,
    padding,
    products,
    rescaling,
)
from nbsrc.audits.singular_values.cases import Layer, layer, random_layers, small_layers
from nbsrc.conv.dense import conv_matrix
from nbsrc.layer_spectra import circular_singular_values, spectral_complexity, spectrum


@pytest.fixture(scope="module")
def small() -> list[Layer]:
    return small_layers()


def test_interlacing(small: list[Layer]) -> None:
    found = interlacing.audit_children(small[:60])
    assert found.counterexample["W"] == [[1.0], [0.0]]
    layers = [*small[:60], *random_layers(21, 0)]
    assert interlacing.audit_interlacing(layers).holds
    assert not interlacing.audit_interlacing(layers, late=1).holds


def test_lower_bound_of_products(small: list[Layer]) -> None:
    single = list(products.small_chains(small, masked=True, depth=1))
    random = products.random_chains(120, 0, masked=True)
    tiny = [x for x in small if x.W.numel() <= 2]
    double = list(products.small_chains(tiny, masked=True, depth=2))
    every = [*single, *double, *random]
    found = products.audit_lower_bound(every, products.product_of_layers)
    assert found.counterexample["W"] == [[[1.0], [1.0]]]
    assert found.counterexample["kept"] == [[0]]
    not_tall = [c for c in single if len(c.weights[0]) <= c.weights[0].shape[1]]
    assert products.audit_lower_bound(not_tall, products.product_of_layers).holds
    good = [c for c in every if products.never_widens_first(c.blocks)]
    assert products.audit_lower_bound(good, products.product_of_blocks).holds
    assert not products.audit_lower_bound(every, products.product_of_blocks).holds
    orthogonal = products.random_chains(40, 1, masked=True, orthogonal=True)
    assert not products.audit_lower_bound(orthogonal, products.product_of_layers).holds


def test_products_without_masks(small: list[Layer]) -> None:
    tiny = [x for x in small if x.W.numel() <= 2]
    chains = [
        *products.small_chains(tiny, masked=False, depth=2),
        *products.random_chains(100, 3, masked=False),
    ]
    found = products.audit_lower_bound(chains, products.product_of_layers)
    assert found.counterexample["W"] == [[[1.0], [0.0]], [[1.0, 1.0]]]
    good = [c for c in chains if products.never_widens_first(c.weights)]
    assert len(good) < len(chains)
    assert products.audit_lower_bound(good, products.product_of_layers).holds


def test_realised_chain() -> None:
    points = [torch.ones(1).double(), torch.zeros(1).double()]
    chains = list(products.realised([layer([[1], [-1]]).W], points))
    assert [c.kept for c in chains] == [((0,),)]
    assert not products.audit_lower_bound(chains, products.product_of_layers).holds
    assert torch.equal(chains[0].product, torch.tensor([[1.0], [0.0]]).double())


def test_masks_break_products_of_layers_that_are_not_tall() -> None:
    """Two layers that satisfy eq. (14) one by one; a mask, and no widening."""
    eye, row = torch.eye(2).double(), torch.ones(1, 2).double()
    chain = products.Chain((eye, row), ((0,), (0,)))
    assert products.never_widens_first(chain.weights)
    assert products.layers_hold(chain)
    tall = products.Chain((torch.ones(2, 1).double(),), ((0,),))
    assert not products.layers_hold(tall)
    assert not products.audit_lower_bound([chain], products.product_of_layers).holds
    assert products.audit_lower_bound([chain], products.product_of_blocks).holds


def test_rescaling() -> None:
    net = rescaling.mlp([[[2, 0], [0, 1]], [[1, 1]]])
    scaled = [(net, rescaling.rescale_layers(net, [2.0]), (1, 2))]
    units = [(net, rescaling.rescale_units(net, torch.tensor([0.5, 1.0]).double()), (1, 2))]
    audit = rescaling.audit_one_function_one_statistic
    assert not audit(scaled, lambda s: s.std).holds
    assert audit(scaled, lambda s: s.relative_std).holds
    assert not audit(units, lambda s: s.relative_std).holds
    other = rescaling.mlp([[[2, 0], [0, 1]], [[1, 2]]])
    with pytest.raises(ValueError, match="same function"):
        audit([(net, other, (1, 2))], lambda s: s.std)
    assert complexity.audit_complexity_invariance(scaled).holds
    assert not complexity.audit_complexity_invariance(units).holds


def test_rescaled_network_with_biases_computes_the_same() -> None:
    net = rescaling.plain_cnn(torch.Generator().manual_seed(0), (2, 3))
    with torch.no_grad():
        for index, module in enumerate(rescaling.weight_layers(net)):
            assert module.bias is not None
            module.bias.fill_(0.1 * (index + 1))
    twin = rescaling.rescale_layers(net, [4.0, 0.5, 8.0])
    x = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(net(x), twin(x))  # powers of 2: to the last bit


def test_complexity() -> None:
    ones = torch.nn.Sequential(torch.nn.Conv2d(1, 1, (1, 3), padding=(0, 1), bias=False))
    torch.nn.init.ones_(ones[0].weight)  # type: ignore[arg-type]
    cnn = rescaling.plain_cnn(torch.Generator().manual_seed(0), (2, 3))
    nets = [(rescaling.mlp([[[2, 0], [0, 1]], [[1, 1]]]), (1, 2)), (ones, (1, 1, 1, 3)),
            (cnn, (1, 1, 8, 8))]  # fmt: skip
    audit = complexity.audit_complexity_bounds
    assert audit(nets, lambda net, records: spectral_complexity(records)).holds
    assert not audit(nets, lambda net, records: complexity.kernel_norms(net)).holds
    assert complexity.audit_complexity_is_product(nets).holds
    assert not complexity.audit_complexity_is_product(nets, skip=1).holds


def test_torus_bounds_every_singular_value_and_no_smaller_one_does() -> None:
    cases = list(padding.filters(60, 0))
    assert {c.stride for c in cases} > {(1, 1), (2, 1)}
    assert any(c.groups == 2 and c.dilation != (1, 1) and min(c.padding) > 0 for c in cases)
    assert padding.audit_torus_bounds(cases, lambda n, p: n + p).holds
    own = padding.audit_torus_bounds(cases, lambda n, p: n)
    assert own.counterexample["image"] == [1, 1]
    wide = [c for c in cases if c.padding == (0, 2)]
    assert padding.audit_torus_bounds(wide, lambda n, p: n + p).holds
    assert not padding.audit_torus_bounds(wide, lambda n, p: n + p - 1).holds
    below = padding.audit_torus_below(cases, lambda n, p: n)
    assert not below.holds
    planted = padding.Filter(torch.ones(1, 1, 1, 3).double(), (1, 1), (0, 1))
    assert not padding.audit_torus_below([planted], lambda n, p: n).holds


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_torus_bounds_even_kernels_with_uneven_padding() -> None:
    """torch pads an even kernel with one pixel more at the end: the larger side counts."""
    g = torch.Generator().manual_seed(4)
    for k, n in itertools.product((2, 4), (1, 2, 3, 5)):
        weight = torch.randint(-1, 2, (2, 1, 1, k), generator=g).double()
        true = spectrum(conv_matrix(weight, (1, n), padding="same")).values
        torus = circular_singular_values(weight, (1, n + k // 2))
        assert (true <= torus[: len(true)] + 1e-9).all()


def test_constant_classifier() -> None:
    assert generalisation.audit_constant_gap([0, 0, 0], draws=50, m=20, seed=0).holds
    assert not generalisation.audit_constant_gap([2, 0, 0], draws=50, m=20, seed=0).holds


def test_nested_least_squares() -> None:
    truths = [torch.tensor(v).double() for v in itertools.product((0.0, 1.0), repeat=3)]
    assert not generalisation.audit_nested(truths, 0.25, strict=True).holds
    assert generalisation.audit_nested(truths, 0.25, strict=False).holds
    assert not generalisation.audit_nested(truths[:1], 0.25, strict=False).holds  # never worse


def test_expected_errors_against_sampling() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.linspace(-1, 1, 6, dtype=torch.float64)
    basis, truth = torch.stack([x**0, x], 1), x**2
    formula = generalisation.expected_errors(truth, basis, 0.3)
    Q = torch.linalg.qr(basis)[0]
    y, new = (truth + 0.3 * torch.randn(20_000, 6, generator=g).double() for _ in range(2))
    fitted = y @ Q @ Q.T
    assert float((fitted - y).square().mean()) == pytest.approx(formula["train"], rel=0.02)
    assert float((fitted - new).square().mean()) == pytest.approx(formula["test"], rel=0.02)


def test_concentration() -> None:
    nets = concentration.zigzags()
    found = concentration.audit_concentration(nets)
    assert found.counterexample["variances"][0] == 0
    flat = concentration.zigzags((0,))
    assert concentration.audit_concentration(flat).holds
    narrow = concentration.zigzags(half=1 / 64)
    assert not concentration.audit_concentration(narrow, 1 / 64).holds
    margins = [z.test_margins for z in nets]
    assert concentration.audit_pairs_identity(margins).holds
    assert not concentration.audit_pairs_identity(margins, 1.0).holds
    g = torch.Generator().manual_seed(0)
    slopes, points = (
        torch.randn(3, 2, generator=g).double(),
        torch.randn(6, 2, generator=g).double(),
    )
    audit = concentration.audit_affine_change
    assert audit(slopes, points, (0.1, 1.0)).holds
    assert not audit(slopes, points, (0.1, 1.0), bend=0.1).holds


def test_zigzag_of_height_two_flips_between_its_test_points() -> None:
    z = concentration.Zigzag(1, 0, 2)
    assert z.test_margins.tolist() == [1.0] * 4
    assert z.margins(torch.tensor([1.0, 3.0, 5.0])).tolist() == [-1.0] * 3
    for half in (1.0, 0.25, 1 / 64):
        assert concentration.Zigzag(1, 0, 2, half).test_margins.tolist() == [1.0] * 4
        assert concentration.Zigzag(1, 0, 2, half).upset(half) == 1
        assert concentration.Zigzag(1, 1, 0, half).upset(half) == 0


def test_units_reach_the_maximum() -> None:
    nets = rescaling.random_mlps(8, 0)
    assert rescaling.audit_units_reach_the_maximum(nets).holds
    assert not rescaling.audit_units_reach_the_maximum(nets, one_factor=True).holds
