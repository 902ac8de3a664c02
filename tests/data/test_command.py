"""``python -m nbsrc data``: what is where, downloads, checks; messages, no tracebacks."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from nbsrc.data import loading, main
from tests.data.files import write_cifar, write_mnist, write_shards


@pytest.fixture
def told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> pytest.LogCaptureFixture:
    monkeypatch.delenv("NBSRC_DATA", raising=False)
    caplog.set_level(logging.INFO, "nbsrc")
    return caplog


def test_the_list_says_what_is_where(tmp_path: Path, told: pytest.LogCaptureFixture) -> None:
    write_shards(tmp_path, "mnist")
    for arguments in (["--root", str(tmp_path)], ["list", "--root", str(tmp_path)]):
        told.clear()
        assert main(arguments) == 0
        assert "digits: part of scikit-learn" in told.text
        assert "mnist: found, shards" in told.text
        for name in ("cifar10", "cifar100", "svhn"):
            assert f"{name} is not in the data root {tmp_path}" in told.text
    assert main([]) == 0
    assert "data root: not set" in told.text


def test_what_is_there_is_not_fetched_again(
    tmp_path: Path, told: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "download_official", lambda *_: pytest.fail("a download"))
    write_shards(tmp_path, "mnist")
    assert main(["fetch", "mnist", "--root", str(tmp_path)]) == 0
    assert "mnist: intact, shards in" in told.text
    assert "train: 3 images, SHA-256 " in told.text


def test_fetch_downloads_what_is_missing_and_reads_it(
    tmp_path: Path, told: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "download_official", lambda _, root: write_mnist(root))
    assert main(["fetch", "--root", str(tmp_path), "mnist"]) == 0
    assert "mnist: intact, torchvision in" in told.text
    told.clear()
    monkeypatch.setenv("NBSRC_DATA", str(tmp_path))
    monkeypatch.setattr(
        loading, "download_official", lambda _, root: write_cifar(root, monkeypatch, "cifar100")
    )
    assert main(["fetch", "mnist", "cifar100"]) == 0
    assert "cifar100: intact" in told.text


def test_a_download_without_a_root_is_a_message(told: pytest.LogCaptureFixture) -> None:
    assert main(["fetch", "mnist"]) == 1
    assert "no data root is set" in told.text


def test_check_reads_everything_and_names_what_is_damaged(
    tmp_path: Path, told: pytest.LogCaptureFixture
) -> None:
    root = ["--root", str(tmp_path)]
    assert main(["check", *root]) == 0
    assert "nothing to check" in told.text
    write_shards(tmp_path, "mnist")
    write_shards(tmp_path, "cifar10")
    assert main(["check", *root]) == 0
    assert "test: 3 images, 2 of them exact, SHA-256 " in told.text
    (tmp_path / "mnist_test.npz").write_bytes(b"PK")
    told.clear()
    assert main(["check", *root]) == 1
    assert "mnist_test.npz is damaged or no shard of mnist" in told.text
    assert "cifar10: intact" in told.text
    assert main(["check", "cifar10", *root]) == 0
    assert main(["check", "svhn", *root]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--download", "mnist"], "--download is now a command: python -m nbsrc data fetch mnist"),
        (["fetch"], "fetch needs a NAME: mnist, cifar10, cifar100, svhn"),
        (["fetch", "imagenet"], "NAME must be one of mnist, cifar10, cifar100, svhn, got imagenet"),
        (["lost"], "invalid choice: 'lost'"),
    ],
)
def test_wrong_arguments_are_named(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err
