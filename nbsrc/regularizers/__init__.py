"""Regularisers of all four papers behind one interface of four hooks.

Sources: Liang & Huang (2021); Roth, Kilcher & Hofmann (2020); Wen, Li & Jia (2020); Guo, Chen, Chen
& Zhang. See :class:`nbsrc.regularizers.Regularizer` for the hooks and
:func:`nbsrc.regularizers.training_step` for the order in which a loop calls them.
"""

from nbsrc.regularizers.adversarial import AdversarialTraining as AdversarialTraining
from nbsrc.regularizers.adversarial import LogitAdversary as LogitAdversary
from nbsrc.regularizers.adversarial import LogitPairing as LogitPairing
from nbsrc.regularizers.adversarial import Trades as Trades
from nbsrc.regularizers.batch_norm_projection import BatchNormProjection as BatchNormProjection
from nbsrc.regularizers.batch_norm_projection import batch_norm_names as batch_norm_names
from nbsrc.regularizers.clipping import SingularValueClipping as SingularValueClipping
from nbsrc.regularizers.cross_lipschitz import CrossLipschitz as CrossLipschitz
from nbsrc.regularizers.curvature import Curvature as Curvature
from nbsrc.regularizers.global_spectral import GlobalSpectral as GlobalSpectral
from nbsrc.regularizers.input_gradient import InputGradient as InputGradient
from nbsrc.regularizers.interface import Composition as Composition
from nbsrc.regularizers.interface import Regularizer as Regularizer
from nbsrc.regularizers.interface import compose as compose
from nbsrc.regularizers.interface import training_step as training_step
from nbsrc.regularizers.jacobian import JacobianPenalty as JacobianPenalty
from nbsrc.regularizers.layers import WeightLayer as WeightLayer
from nbsrc.regularizers.layers import weight_layers as weight_layers
from nbsrc.regularizers.norm_decay import NormDecay as NormDecay
from nbsrc.regularizers.operator_norm import OperatorNormPenalty as OperatorNormPenalty
from nbsrc.regularizers.spectral_bound import SpectralBound as SpectralBound
from nbsrc.regularizers.spectral_bound import layer_spectral_norm as layer_spectral_norm
from nbsrc.regularizers.threat import SoftmaxDivergence as SoftmaxDivergence
from nbsrc.regularizers.threat import Threat as Threat
from nbsrc.regularizers.threat import adversarial_points as adversarial_points
from nbsrc.regularizers.weight_decay import WeightDecay as WeightDecay
