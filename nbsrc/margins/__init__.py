"""Margins, ramp loss, covers, instance-space margins, and the bound of Theorem 3.1 of paper C.

Pure functions: scores, weights and points in, numbers out. Networks are `torch.nn` modules.
"""

from nbsrc.margins.bound import bhc_radius as bhc_radius
from nbsrc.margins.bound import display_bound as display_bound
from nbsrc.margins.bound import hoeffding_radius as hoeffding_radius
from nbsrc.margins.bound import loss_term as loss_term
from nbsrc.margins.bound import printed_margin as printed_margin
from nbsrc.margins.bound import proof_end_bound as proof_end_bound
from nbsrc.margins.bound import xu_mannor_bound as xu_mannor_bound
from nbsrc.margins.covering import circle_covering_number as circle_covering_number
from nbsrc.margins.covering import covering_number as covering_number
from nbsrc.margins.covering import first_ball_cells as first_ball_cells
from nbsrc.margins.covering import greedy_cover as greedy_cover
from nbsrc.margins.covering import is_cover as is_cover
from nbsrc.margins.instance import instance_margin as instance_margin
from nbsrc.margins.operator import generalisation_error as generalisation_error
from nbsrc.margins.operator import margin as margin
from nbsrc.margins.operator import ramp_loss as ramp_loss
from nbsrc.margins.operator import ramp_risk as ramp_risk
from nbsrc.margins.repair import any_classes_radius as any_classes_radius
from nbsrc.margins.repair import repaired_bound as repaired_bound
from nbsrc.margins.repair import repaired_radius as repaired_radius
from nbsrc.margins.repair import row_rank_constant as row_rank_constant
