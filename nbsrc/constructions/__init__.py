"""Explicit networks that separate robustness from the size of norms and Lipschitz constants.

Source: Liang & Huang, Large Norms of CNN Layers Do Not Hurt Adversarial Robustness, AAAI 2021.
"""

from nbsrc.constructions.coding import lipschitz_infimum
from nbsrc.constructions.collapse import zero_lipschitz_network
from nbsrc.constructions.flat import flat_classifier
from nbsrc.constructions.halfspaces import HalfSpaces, closest_pair, separating_halfspaces
from nbsrc.constructions.inflate import inflate_norms
from nbsrc.constructions.proofs import proves_same_function, proves_zero
from nbsrc.constructions.robust import (
    classifier_from_halfspaces,
    gentle_classifier,
    robust_classifier,
)
from nbsrc.constructions.steep import SteepPairs, robust_classifier_with_lipschitz, steep_pairs

__all__ = [
    "HalfSpaces",
    "SteepPairs",
    "classifier_from_halfspaces",
    "closest_pair",
    "flat_classifier",
    "gentle_classifier",
    "inflate_norms",
    "lipschitz_infimum",
    "proves_same_function",
    "proves_zero",
    "robust_classifier",
    "robust_classifier_with_lipschitz",
    "separating_halfspaces",
    "steep_pairs",
    "zero_lipschitz_network",
]
