"""Image data: scikit-learn's digits, which need no download, and MNIST, CIFAR and SVHN if present.

:func:`load_data` gives a data set by name; everything but the digits is read from the data root,
where ``python -m nbsrc data`` says what is there. Nothing is downloaded unless asked
(``python -m nbsrc data fetch NAME``).
"""

from nbsrc.data.command import main as main
from nbsrc.data.digits import load_digits as load_digits
from nbsrc.data.errors import DamagedDataError as DamagedDataError
from nbsrc.data.errors import MissingDataError as MissingDataError
from nbsrc.data.images import ImageData as ImageData
from nbsrc.data.loading import load_data as load_data
from nbsrc.data.sources import DATA_NAMES as DATA_NAMES
from nbsrc.data.sources import find_layout as find_layout
from nbsrc.data.standardising import standardised_data as standardised_data
