"""Singular value clipping, in the Fourier domain as the papers do it, and as a true projection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from nbsrc.regularizers._arguments import check_count, check_number, check_word
from nbsrc.regularizers.fourier import clip_fourier, fourier_objection
from nbsrc.regularizers.interface import Regularizer
from nbsrc.regularizers.layers import WeightLayer
from nbsrc.regularizers.matrix_projection import clip_matrix, matrix_objection

__all__ = ["SingularValueClipping"]

_METHODS = ("fourier", "matrix")


@dataclass(frozen=True, eq=False)
class SingularValueClipping(Regularizer):
    r"""Clip the singular values of layers at a bound, after every epoch or every few steps.

    ``method="fourier"`` is Sedghi, Gupta & Long (2019), which Liang & Huang (2021) use: the
    kernel's Fourier transform at the size of the input gives a :math:`d_{out}\times d_{in}` matrix
    per frequency, whose singular values are clipped; the result is transformed back and cropped to
    the kernel's size. It is about convolutions with stride 1 and circular padding, and even there
    the cropped kernel may exceed the bound a little (``repeats`` brings it closer). For other
    layers it is refused, unless ``as_circular`` asks for what the papers do: take a strided,
    dilated or zero-padded layer as if it were circular with stride 1. The bound then holds for
    another map than the layer.

    ``method="matrix"`` is the nearest kernel of norm at most the bound, in the Frobenius norm of
    the layer's matrix, with its own stride, padding, dilation and groups:
    :func:`nbsrc.regularizers.matrix_projection.clip_matrix`. It takes singular value decompositions
    of that matrix, so it is for small layers.

    Linear layers have their singular values clipped exactly by both.

    Attributes:
        layers: The layers, see :func:`nbsrc.regularizers.weight_layers`.
        bound: Largest singular value, greater than 0.
        method: ``"fourier"`` or ``"matrix"``.
        as_circular: Whether "fourier" may be used where it is not about the layer.
        repeats: How often "fourier" clips and crops each time.
        period: Clip after every so many steps; None for after every epoch.
        max_entries: Largest matrix for "matrix".
        tolerance: Relative accuracy at which "matrix" stops.
        rounds: Most rounds of "matrix"; the result keeps the bound after any number of them, and
            with too few it is not quite the nearest.

    Example:
        >>> from nbsrc.regularizers import weight_layers
        >>> net = nn.Linear(2, 2, bias=False)
        >>> _ = net.weight.data.copy_(torch.tensor([[3.0, 0.0], [0.0, 1.0]]))
        >>> SingularValueClipping(weight_layers(net, (1, 2)), 1.5).after_epoch(net)
        >>> net.weight.data
        tensor([[1.5000, 0.0000],
                [0.0000, 1.0000]])
    """

    layers: tuple[WeightLayer, ...]
    bound: float
    method: str = "fourier"
    as_circular: bool = False
    repeats: int = 1
    period: int | None = None
    max_entries: int = 2**18
    tolerance: float = 1e-6
    rounds: int = 500
    _count: dict[str, int] = field(default_factory=lambda: {"steps": 0}, init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            NotImplementedError: If the method is not for a layer; the message names it.
            ValueError: If a setting is out of range.
        """
        object.__setattr__(self, "layers", tuple(self.layers))
        check_number("bound", self.bound, strict=True)
        check_word("method", self.method, _METHODS)
        check_count("repeats", self.repeats)
        check_count("max_entries", self.max_entries)
        check_count("rounds", self.rounds)
        check_number("tolerance", self.tolerance, below=1.0, strict=True)
        if self.period is not None:
            check_count("period", self.period)
        for layer in self.layers:
            objection = (
                fourier_objection(layer, as_circular=self.as_circular)
                if self.method == "fourier"
                else matrix_objection(layer, self.max_entries)
            )
            if objection:
                raise NotImplementedError(f"layer {layer.name!r}: {objection}")

    def after_step(self, model: nn.Module) -> None:
        """Count the step, and clip if it is time.

        Args:
            model: The network.
        """
        self._count["steps"] += 1
        if self.period is not None and self._count["steps"] % self.period == 0:
            self._clip(model)

    def after_epoch(self, model: nn.Module) -> None:
        """Clip, unless it is done every few steps.

        Args:
            model: The network.
        """
        if self.period is None:
            self._clip(model)

    def state_dict(self) -> dict[str, Any]:
        """The number of steps.

        Returns:
            It.
        """
        return dict(self._count)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the number of steps.

        Args:
            state: What :meth:`state_dict` returned.
        """
        self._count["steps"] = int(state["steps"])

    def _clip(self, model: nn.Module) -> None:
        """Clip every layer.

        Raises:
            ValueError: If a weight is NaN or infinite.
        """
        with torch.no_grad():
            for layer in self.layers:
                weight = layer.weight(model)
                if not bool(torch.isfinite(weight).all()):
                    raise ValueError(f"layer {layer.name!r} has weights that are not finite")
                if self.method == "matrix":
                    clipped = clip_matrix(
                        layer, model, weight, self.bound,
                        tolerance=self.tolerance, rounds=self.rounds,
                    )  # fmt: skip
                else:
                    clipped = weight.detach()
                    for _ in range(self.repeats):
                        clipped = clip_fourier(layer, clipped, self.bound)
                weight.copy_(clipped)
