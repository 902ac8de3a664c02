"""Explicit networks that separate robustness from the size of norms and Lipschitz constants.

Source: Liang & Huang, Large Norms of CNN Layers Do Not Hurt Adversarial Robustness, AAAI 2021.
"""

from nbsrc.constructions.activations import Replacement, replace_relu
from nbsrc.constructions.activations_square import Square, square_classifier
from nbsrc.constructions.activations_threshold import threshold_classifier
from nbsrc.constructions.certify import Certificate, certify_robust
from nbsrc.constructions.certify_exact import ExactRange, exact_range
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
    "Certificate",
    "ExactRange",
    "HalfSpaces",
    "Replacement",
    "Square",
    "SteepPairs",
    "certify_robust",
    "classifier_from_halfspaces",
    "closest_pair",
    "exact_range",
    "flat_classifier",
    "gentle_classifier",
    "inflate_norms",
    "lipschitz_infimum",
    "proves_same_function",
    "proves_zero",
    "replace_relu",
    "robust_classifier",
    "robust_classifier_with_lipschitz",
    "separating_halfspaces",
    "square_classifier",
    "steep_pairs",
    "threshold_classifier",
    "zero_lipschitz_network",
]
