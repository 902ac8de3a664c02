"""Linear regions of ReLU, leaky ReLU and max-pool networks: exact maps, radii, enumeration.

On each set of inputs with the same activation pattern such a network is one affine map. Everything
here is exact up to rounding; inputs and weights in float64 give errors near 1e-15 relative.
"""

from nbsrc.linear_region.boundary import BoundaryDistance as BoundaryDistance
from nbsrc.linear_region.boundary import boundary_distance_2d as boundary_distance_2d
from nbsrc.linear_region.enumeration import Region as Region
from nbsrc.linear_region.enumeration import RegionLimitError as RegionLimitError
from nbsrc.linear_region.enumeration import Regions as Regions
from nbsrc.linear_region.enumeration import enumerate_regions as enumerate_regions
from nbsrc.linear_region.jacobian import affine_map as affine_map
from nbsrc.linear_region.jacobian import jacobian as jacobian
from nbsrc.linear_region.pattern import Pattern as Pattern
from nbsrc.linear_region.pattern import activation_pattern as activation_pattern
from nbsrc.linear_region.radius import region_halfspaces as region_halfspaces
from nbsrc.linear_region.radius import region_radius as region_radius
from nbsrc.linear_region.segment import SegmentRegions as SegmentRegions
from nbsrc.linear_region.segment import segment_regions as segment_regions
