"""Regularisers with a generator: its state is theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from nbsrc.regularizers.interface import Regularizer


class Seeded(Regularizer):
    """A regulariser whose random numbers come from its own generator, or that draws none."""

    generator: torch.Generator | None

    def state_dict(self) -> dict[str, Any]:
        """The generator's state; empty without one."""
        return {} if self.generator is None else {"generator": self.generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Put the generator into a state.

        Raises:
            ValueError: If only one of the two has a generator.
        """
        if set(state) != set(self.state_dict()):
            raise ValueError(
                f"the state of {type(self).__name__} must hold {sorted(self.state_dict())}, "
                f"got {sorted(state)}"
            )
        if self.generator is not None:
            self.generator.set_state(state["generator"])
