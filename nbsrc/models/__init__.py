"""Networks of the four papers, in the form for small images, and torchvision's ImageNet networks.

All weights come from an explicit generator; building a network touches no global random state and
downloads nothing. Architectures are built on torch's meta device, where layers get no memory and
draw no numbers, and are then given weights by :func:`nbsrc.models.initialise`. Where a paper leaves
a width or a layer open, the function that builds the network says what was chosen.
"""

from nbsrc.models.building import MODEL_NAMES as MODEL_NAMES
from nbsrc.models.building import build_model as build_model
from nbsrc.models.chains import digits_cnn as digits_cnn
from nbsrc.models.initialisation import fixup as fixup
from nbsrc.models.initialisation import initialise as initialise
from nbsrc.models.initialisation import xavier as xavier
from nbsrc.models.standardisation import Standardisation as Standardisation
from nbsrc.models.standardisation import standardised as standardised
