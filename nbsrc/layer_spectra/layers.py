"""The singular values of every layer of a network, as the operator that it really applies."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from nbsrc.conv.dense import conv_matrix, conv_transpose_matrix
from nbsrc.conv.geometry import Geometry
from nbsrc.layer_norms import LayerNorm, layer_norms
from nbsrc.layer_spectra.spectrum import Spectrum, spectrum
from nbsrc.layer_trace import Example, Shape, model_preserved

__all__ = ["MAX_ENTRIES", "LayerSpectrum", "layer_spectra", "spectral_complexity", "to_rows"]

#: Largest dense matrix, in entries, of which all singular values are computed (128 MiB).
MAX_ENTRIES = 2**24


@dataclass(frozen=True, eq=False)
class LayerSpectrum:
    """The singular values of one layer at one input size.

    Attributes:
        name: The layer's name in the network, ``"(model)"`` for the network itself.
        type: The module's class.
        kind: ``"conv"``, ``"conv-transpose"``, ``"linear"``, ``"batch-norm"`` or ``"unknown"``.
        weight_shape: Shape of the weight, None where there is none.
        geometry: Stride, padding and the like of convolutions, else empty.
        input_size: Spatial input size; None for a layer that was not called.
        calls: How often the traced forward called the layer with this geometry.
        spectrum: The singular values, None where they are not known.
        remark: Why they are missing, and whatever else a reader should know.
    """

    name: str
    type: str
    kind: str
    weight_shape: Shape | None = None
    geometry: dict[str, Any] = field(default_factory=dict)
    input_size: Shape | None = None
    calls: int = 0
    spectrum: Spectrum | None = None
    remark: str = ""


def layer_spectra(
    model: nn.Module, example_input: Example, *, max_entries: int = MAX_ENTRIES
) -> list[LayerSpectrum]:
    """All singular values of every Conv, ConvTranspose and Linear layer of a network.

    Each layer is taken without its bias, as the linear map from its whole input to its whole
    output: padding of any mode, stride, dilation and groups included. The matrix of a convolution
    comes from torch's own layer on every unit image, one group at a time. Layers are found as by
    :func:`nbsrc.layer_norms.layer_norms`: none is left out silently, and the model stays as it was.

    Args:
        model: The network.
        example_input: An input tensor, a sequence of tensors (several positional arguments), or
            the shape of an input, batch dimension included.
        max_entries: Largest dense matrix, in entries (of one group of a convolution; the weight
            of a linear layer); a larger layer is listed without its spectrum and with a remark.

    Returns:
        One record per layer and geometry. Batch norm and unknown layers have no spectrum.

    Raises:
        TypeError: If ``model`` is no module or ``example_input`` none of the above.
        ValueError: If ``max_entries`` is below 1, a layer is lazy and not yet initialised, or a
            weight is NaN or infinite.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(1, 1, (1, 3), padding=(0, 1), bias=False))
        >>> model[0].weight = nn.Parameter(torch.tensor([[[[1.0, 0.0, -1.0]]]]))
        >>> layer_spectra(model, (1, 1, 1, 2))[0].spectrum.values.tolist()
        [1.0, 1.0]
    """
    if max_entries < 1:
        raise ValueError(f"max_entries must be at least 1, got {max_entries}")
    found = layer_norms(model, example_input, ords=())
    with model_preserved(model):
        return [_record(model, layer, max_entries) for layer in found]


def spectral_complexity(records: Sequence[LayerSpectrum]) -> float:
    """The product of the layers' largest singular values.

    Source: Wen, Li & Jia (2020), Definition 7. It bounds the Lipschitz constant of a chain of these
    layers and 1-Lipschitz activations; batch norm and skip connections are not in it.

    Args:
        records: The records of a network; batch norm and layers that were not called are skipped.

    Returns:
        The product, once for each call of a layer.

    Raises:
        ValueError: If a called layer's spectrum is missing, or no layer has one.
    """
    factors: list[float] = []
    for record in records:
        if record.kind == "batch-norm" or not record.calls:
            continue
        if record.spectrum is None:
            raise ValueError(f"layer {record.name!r} has no spectrum: {record.remark}")
        factors += [record.spectrum.maximum] * record.calls
    if not factors:
        raise ValueError("records must hold at least one layer with a spectrum")
    return math.prod(factors)


def to_rows(records: Sequence[LayerSpectrum]) -> list[dict[str, Any]]:
    """Flatten records into rows with the same keys, ready for JSON or a data frame.

    Args:
        records: The records to flatten.

    Returns:
        One dictionary per record with the statistics of its singular values, None where missing.
    """
    names = ("rows", "columns", "rank", "mean", "std", "relative_std", "minimum", "maximum",
             "smallest_positive", "condition", "smallest_gain")  # fmt: skip
    return [
        {
            "name": record.name,
            "type": record.type,
            "kind": record.kind,
            "input_size": None if record.input_size is None else list(record.input_size),
            "calls": record.calls,
            **{k: None if record.spectrum is None else getattr(record.spectrum, k) for k in names},
            "remark": record.remark,
        }
        for record in records
    ]


def _record(model: nn.Module, layer: LayerNorm, max_entries: int) -> LayerSpectrum:
    """Return the record of one layer of the walk.

    Raises:
        ValueError: If a weight is NaN or infinite; the message names the layer.
    """
    base: dict[str, Any] = {
        name: getattr(layer, name)
        for name in ("name", "type", "kind", "weight_shape", "geometry", "input_size", "calls")
    }
    if layer.input_size is None or layer.kind in ("unknown", "batch-norm"):
        words = "no singular values of batch norm here" if layer.kind == "batch-norm" else ""
        return LayerSpectrum(**base, remark="; ".join(filter(None, (layer.remark, words))))
    module = model if layer.name == "(model)" else model.get_submodule(layer.name)
    weight: Tensor = module.weight.detach().double().cpu()  # type: ignore[operator]
    shared = next((p for p in layer.remark.split("; ") if p.startswith("shared")), "")
    try:
        if layer.kind == "linear":
            _check_entries(weight.shape[0], weight.shape[1], max_entries)
            found = _repeated(spectrum(weight), math.prod(layer.input_size))
        else:
            found = _convolution(layer, weight, max_entries)
    except NotImplementedError as error:
        return LayerSpectrum(**base, remark="; ".join(filter(None, (str(error), shared))))
    except ValueError as error:
        raise ValueError(f"layer {layer.name!r} ({layer.type}): {error}") from error
    return LayerSpectrum(**base, spectrum=found, remark=shared)


def _convolution(layer: LayerNorm, weight: Tensor, max_entries: int) -> Spectrum:
    """Return the spectrum of a convolution or its transpose, group by group.

    Raises:
        NotImplementedError: If the layer has three dimensions or its matrix is too large.
    """
    if weight.ndim > 4:
        raise NotImplementedError("no singular values for three-dimensional layers")
    assert layer.input_size is not None
    size, options = layer.input_size, dict(layer.geometry)
    if weight.ndim == 3:  # one-dimensional: images one pixel high
        weight, size = weight[:, :, None, :], (1, *size)
        options = _raised(options)
    groups = layer.groups or 1
    blocks = weight.chunk(groups)
    build: Callable[..., Tensor] = conv_matrix
    outputs, inputs = blocks[0].shape[:2]
    if layer.kind == "conv-transpose":
        build, inputs, outputs = conv_transpose_matrix, outputs, inputs
        pixels = Geometry.for_conv_transpose(size, weight.shape[2:], **options).input_size
    else:
        shape = {name: value for name, value in options.items() if name != "padding_mode"}
        pixels = Geometry.for_conv(size, weight.shape[2:], **shape).output_size
    columns = inputs * math.prod(size)
    # torch's layer gets one unit image per input: their square counts too.
    _check_entries(max(outputs * math.prod(pixels), columns), columns, max_entries)
    matrices = [build(block, size, **options) for block in blocks]
    spectra = [spectrum(matrix) for matrix in matrices]
    values = torch.cat([s.values for s in spectra]).sort(descending=True).values
    return Spectrum(values, sum(s.rows for s in spectra), sum(s.columns for s in spectra))


def _check_entries(rows: int, columns: int, largest: int) -> None:
    """Refuse a matrix that is too large.

    Raises:
        NotImplementedError: If it has more entries than allowed.
    """
    if rows * columns > largest:
        raise NotImplementedError(
            f"a dense matrix of {rows} x {columns} has more than max_entries = {largest} entries"
        )


def _raised(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a one-dimensional layer for images one pixel high."""
    neutral = {"stride": 1, "padding": 0, "dilation": 1, "output_padding": 0}
    return {
        name: (neutral[name], *value) if isinstance(value, tuple) else value
        for name, value in options.items()
    }


def _repeated(one: Spectrum, positions: int) -> Spectrum:
    """Return the spectrum of a block-diagonal matrix with equal blocks."""
    values = one.values.repeat_interleave(positions)
    return Spectrum(values, one.rows * positions, one.columns * positions)
