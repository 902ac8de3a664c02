"""What the adversarial objectives share."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nbsrc.operator_norm import AttackLoss
from nbsrc.regularizers._arguments import check_generator
from nbsrc.regularizers._evaluation import checked_logits, evaluating
from nbsrc.regularizers._seeded import Seeded
from nbsrc.regularizers.threat import Threat, adversarial_points


@dataclass(frozen=True, eq=False)
class Adversary(Seeded):
    """Settings of the adversary, its points, and the outputs for them."""

    threat: Threat
    generator: torch.Generator | None = None
    batch_statistics: bool = True

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            TypeError: If ``threat`` is none.
        """
        if not isinstance(self.threat, Threat):
            raise TypeError(f"threat must be a Threat, got {type(self.threat).__name__}")
        if self.threat.start != "point":
            check_generator("generator", self.generator)

    def attack(self, model: nn.Module, x: Tensor, loss: AttackLoss) -> Tensor:
        """Return the adversary's points for an increasing loss."""
        return adversarial_points(model, x, loss, self.threat, self.generator)

    def outputs(self, model: nn.Module, points: Tensor) -> Tensor:
        """Return the logits with a graph to the parameters."""
        with evaluating(model, batch_statistics=self.batch_statistics), torch.enable_grad():
            return checked_logits(model(points.detach()), points)

    def refuse_the_point(self, loss: str) -> None:
        """Refuse a start at which the adversary's gradient is 0.

        Raises:
            ValueError: If it is the point.
        """
        if self.threat.start == "point":
            raise ValueError(
                f"threat.start must be 'ball' or 'near': at the point itself {loss} has gradient 0"
            )
