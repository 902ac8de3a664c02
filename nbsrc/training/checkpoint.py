"""A training run in a file: written whole after every epoch, read back to go on exactly."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.files import write_bytes_atomic
from nbsrc.regularizers import Regularizer
from nbsrc.training.evaluation import EpochRecord
from nbsrc.training.identity import difference

__all__ = ["Checkpoint", "RunState", "to_rows"]

_FORMAT = 2


@dataclass(frozen=True)
class RunState:
    """Everything that changes during a run and that its future depends on.

    Torch's global random state belongs to it: the loop seeds it, and dropout draws from it.

    Attributes:
        model: The network.
        optimizer: The optimiser.
        regularizer: The regulariser.
        generators: The loop's generators, all on the CPU.
        device: Where the network is.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    regularizer: Regularizer
    generators: tuple[torch.Generator, ...]
    device: torch.device

    def save(self) -> dict[str, Any]:
        """The state as tensors and plain values.

        Returns:
            A dictionary for :meth:`restore`.
        """
        on_cuda = self.device.type == "cuda"
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "regularizer": self.regularizer.state_dict(),
            "generators": [generator.get_state() for generator in self.generators],
            "torch": torch.default_generator.get_state(),
            "cuda": torch.cuda.get_rng_state(self.device) if on_cuda else None,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Put everything into a saved state.

        Args:
            state: What :meth:`save` returned.
        """
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.regularizer.load_state_dict(state["regularizer"])
        for generator, saved in zip(self.generators, state["generators"], strict=True):
            generator.set_state(saved)
        torch.default_generator.set_state(state["torch"])
        if state["cuda"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda"], self.device)


class Checkpoint:
    """The file of one run.

    Attributes:
        path: The file.
        identity: What the run is, from :func:`nbsrc.training.identity.run_identity`.
    """

    def __init__(self, path: str | os.PathLike[str], identity: dict[str, Any]) -> None:
        """Name the file and the run; nothing is read or written."""
        self.path = Path(path)
        self.identity = identity

    def write(self, state: RunState, content: Mapping[str, Any]) -> None:
        """Replace the file by the present state, in one step.

        Args:
            state: The state.
            content: What else to keep: records, finished steps.

        Raises:
            TypeError: If the recorder or the regulariser holds something else than tensors and
                plain values.
        """
        _check_plain(dict(content), "the recorder's result")
        _check_plain(state.regularizer.state_dict(), "the regulariser's state")
        stream = io.BytesIO()
        whole = {"format": _FORMAT, "identity": self.identity, "state": state.save(), **content}
        torch.save(whole, stream)
        write_bytes_atomic(self.path, stream.getvalue())

    def read(self, state: RunState) -> dict[str, Any] | None:
        """Restore the state from the file, if there is one.

        Args:
            state: The state of the same run before its first step.

        Returns:
            What else was kept; None without a file.

        Raises:
            ValueError: If the file cannot be read or belongs to another run.
        """
        if not self.path.is_file():
            return None
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
            raise ValueError(f"{self.path} is no readable checkpoint: delete it") from error
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            raise ValueError(f"{self.path} is no checkpoint of this version: delete it")
        other = difference(self.identity, content["identity"])
        if other is not None:
            raise ValueError(
                f"{self.path} belongs to another run: {other}; delete it or name another file"
            )
        state.restore(content["state"])
        return content


def to_rows(history: Iterable[EpochRecord]) -> list[dict[str, Any]]:
    """Records as plain dictionaries; ``EpochRecord(**row)`` is the way back.

    Args:
        history: The records.

    Returns:
        One dictionary per record.
    """
    names = [field.name for field in fields(EpochRecord)]
    return [{name: getattr(record, name) for name in names} for record in history]


def _check_plain(value: Any, where: str) -> None:
    """Refuse what cannot be read back with ``weights_only=True``.

    Raises:
        TypeError: If there is such a value; the message names its class.
    """
    if type(value) in {list, tuple}:
        for entry in value:
            _check_plain(entry, where)
    elif isinstance(value, dict):
        _check_plain([*value, *value.values()], where)
    elif not (value is None or type(value) in {bool, int, float, str} or isinstance(value, Tensor)):
        raise TypeError(
            f"{where} must be made of tensors, numbers, texts, lists and dictionaries to be kept "
            f"in a checkpoint, got {type(value).__name__}"
        )
