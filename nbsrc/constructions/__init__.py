"""Explicit networks that separate robustness from the size of norms and Lipschitz constants.

Source: Liang & Huang, Large Norms of CNN Layers Do Not Hurt Adversarial Robustness, AAAI 2021.
"""

from nbsrc.constructions.halfspaces import HalfSpaces, closest_pair, separating_halfspaces
from nbsrc.constructions.robust import (
    classifier_from_halfspaces,
    gentle_classifier,
    robust_classifier,
)

__all__ = [
    "HalfSpaces",
    "classifier_from_halfspaces",
    "closest_pair",
    "gentle_classifier",
    "robust_classifier",
    "separating_halfspaces",
]
