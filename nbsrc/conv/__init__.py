"""Exact norms of convolution layers, and the paper's formulas beside them.

Source: Liang & Huang, Large Norms of CNN Layers Do Not Hurt Adversarial Robustness, AAAI 2021.
"""

from nbsrc.conv.bounds import L2Bounds as L2Bounds
from nbsrc.conv.bounds import conv_l2_bounds as conv_l2_bounds
from nbsrc.conv.dense import conv_matrix as conv_matrix
from nbsrc.conv.dense import conv_transpose_matrix as conv_transpose_matrix
from nbsrc.conv.geometry import Geometry as Geometry
from nbsrc.conv.geometry import tap_classes as tap_classes
from nbsrc.conv.norms import conv_norm as conv_norm
from nbsrc.conv.norms import conv_transpose_norm as conv_transpose_norm
from nbsrc.conv.norms import geometry_norms as geometry_norms
from nbsrc.conv.paper import Theorem1Norms as Theorem1Norms
from nbsrc.conv.paper import appendix_partition as appendix_partition
from nbsrc.conv.paper import lemma1_tap_classes as lemma1_tap_classes
from nbsrc.conv.paper import satisfies_assumption1 as satisfies_assumption1
from nbsrc.conv.paper import theorem1_norms as theorem1_norms
from nbsrc.conv.spectral import conv_spectral_norm as conv_spectral_norm
