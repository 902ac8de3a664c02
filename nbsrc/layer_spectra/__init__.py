"""Singular values of the layers of a network, and what they say about a random perturbation."""

from nbsrc.layer_spectra.circular import circular_singular_values
from nbsrc.layer_spectra.layers import (
    MAX_ENTRIES,
    LayerSpectrum,
    layer_spectra,
    spectral_complexity,
    to_rows,
)
from nbsrc.layer_spectra.spectrum import Spectrum, spectrum
from nbsrc.layer_spectra.sphere import Moments, norm_moments, relu_moments, square_moments

__all__ = [
    "MAX_ENTRIES",
    "LayerSpectrum",
    "Moments",
    "Spectrum",
    "circular_singular_values",
    "layer_spectra",
    "norm_moments",
    "relu_moments",
    "spectral_complexity",
    "spectrum",
    "square_moments",
    "to_rows",
]
