"""Digits are split by class and seed; parts of the data, and what identifies it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from nbsrc.data import ImageData, load_data, load_digits
from nbsrc.data.digests import array_digest


def test_digits_are_images_in_the_unit_interval_split_by_class() -> None:
    data = load_digits()
    assert data.train_images.shape[1:] == data.test_images.shape[1:] == (1, 8, 8)
    assert len(data.train_images) + len(data.test_images) == 1797
    assert (float(data.train_images.min()), float(data.train_images.max())) == (0.0, 1.0)
    assert data.train_labels.dtype == torch.int64
    share = (
        data.test_labels.bincount() / torch.cat([data.test_labels, data.train_labels]).bincount()
    )
    assert float((share - 0.25).abs().max()) < 0.01
    # every image lands in exactly one part
    rows = torch.cat([data.train_images, data.test_images]).flatten(1)
    from sklearn.datasets import load_digits as source

    everything = torch.from_numpy(source().data).float() / 16
    assert torch.equal(rows.sum(dim=0), everything.sum(dim=0))


def test_the_split_depends_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    first, again, other = load_digits(), load_data("digits"), load_digits(seed=1)
    assert torch.equal(first.test_images, again.test_images)
    assert not torch.equal(first.test_images, other.test_images)


def test_only_some_classes_renumbered_in_the_order_given() -> None:
    images = torch.arange(8.0).reshape(8, 1, 1, 1)
    labels = torch.tensor([7, 1, 3, 1, 7, 3, 1, 7])
    exact = torch.tensor([True, False, True, True, False, True, True, True])
    data = ImageData("mnist", images, labels, images + 10, labels.flip(0), exact)
    binary = data.only((1, 7))
    assert binary.train_images.flatten().tolist() == [0, 1, 3, 4, 6, 7]
    assert binary.train_labels.tolist() == [1, 0, 0, 1, 0, 1]
    assert binary.test_images.flatten().tolist() == [10, 11, 13, 14, 16, 17]
    assert binary.test_labels.tolist() == [1, 0, 1, 0, 0, 1]
    assert binary.test_exact is not None
    assert binary.test_exact.tolist() == [True, False, True, False, True, True]
    assert data.only([7, 3, 1]).train_labels.tolist() == [0, 2, 1, 2, 0, 1, 2, 0]
    assert data.only([3]).train_labels.tolist() == [0, 0]
    assert data.only([3]).train_labels.dtype == torch.int64
    assert data.train_labels is labels
    again = binary.only([1])  # of the new labels
    assert again.train_images.flatten().tolist() == [0, 4, 7]
    digits = load_digits()
    assert torch.equal(digits.only(range(10)).train_images, digits.train_images)
    assert digits.only([1]).test_exact is None


def test_classes_that_cannot_be_kept_are_named() -> None:
    data = load_digits()
    with pytest.raises(ValueError, match="classes must not be empty"):
        data.only([])
    with pytest.raises(ValueError, match=r"classes must be distinct, got \[1, 7, 1\]"):
        data.only((1, 7, 1))
    with pytest.raises(ValueError, match=r"digits has no train images of the classes \[10, -1\]"):
        data.only((1, 10, -1))
    few = data.first(test=1)
    other = (int(few.test_labels[0]) + 1) % 10
    with pytest.raises(ValueError, match=rf"digits has no test images of the classes \[{other}\]"):
        few.only([other])


def test_numbers_out_of_range_are_named() -> None:
    with pytest.raises(ValueError, match="test_fraction must be between 0 and 1, got 1"):
        load_digits(test_fraction=1)
    with pytest.raises(ValueError, match="train must be between 1 and 1347, got 5000"):
        load_digits().first(train=5000)


def test_the_checksum_is_that_of_the_numbers_as_they_are() -> None:
    data = load_digits()
    sums = data.checksum()
    assert sums["name"] == "digits"
    assert (sums["train"]["images"], sums["test"]["images"]) == (1347, 450)
    assert load_digits().checksum() == sums
    assert sums["train"]["sha256"] == array_digest([
        data.train_images.numpy(),
        data.train_labels.numpy(),
    ])
    channels_last = data.test_images.to(memory_format=torch.channels_last)
    assert replace(data, test_images=channels_last).checksum() == sums
    pixel, label = data.test_images.clone(), data.test_labels.clone()
    pixel[3, 0, 2, 2] += 1e-7
    label[3] += 1
    for change in ({"test_images": pixel}, {"test_labels": label}):
        changed = replace(data, **change).checksum()  # type: ignore[arg-type]
        assert changed["train"] == sums["train"]
        assert changed["test"]["sha256"] != sums["test"]["sha256"]
    few = data.first(10).checksum()
    assert few["train"]["images"] == 10
    assert few["train"]["sha256"] != sums["train"]["sha256"]
    assert few["test"] == sums["test"]
    exact = torch.arange(450) < 3
    assert replace(data, test_exact=exact).checksum()["test"]["exact"] == 3
    sums["train"]["images"] = 0  # the caller's own copy
    assert data.checksum()["train"]["images"] == 1347


def test_digests_know_types_shapes_and_order_but_not_the_layout_in_memory() -> None:
    x = np.arange(6, dtype=np.int32).reshape(2, 3)
    digest = array_digest([x])
    assert array_digest([np.asfortranarray(x)]) == digest
    assert array_digest([x.astype(">i4")]) == digest
    others = [[x.reshape(3, 2)], [x.astype(np.int64)], [x, x], [x.T], [x + 1], [x[:1], x[1:]]]
    assert len({digest, *map(array_digest, others)}) == 7
    assert array_digest([x[:0]]) != array_digest([x[:, :0]])
