"""One training loop: SGD with momentum on cross-entropy, the same numbers for the same seeds.

:func:`train` takes a regulariser (:mod:`nbsrc.regularizers`), a schedule of the learning rate, an
augmentation of the images, and a checkpoint file from which a killed run goes on to the same final
numbers. :func:`train_ensemble` trains several initialisations as one batched model.
"""

from nbsrc.training.augmentation import Augmentation as Augmentation
from nbsrc.training.augmentation import CropAndFlip as CropAndFlip
from nbsrc.training.ensemble import train_ensemble as train_ensemble
from nbsrc.training.evaluation import EpochRecord as EpochRecord
from nbsrc.training.evaluation import Recorder as Recorder
from nbsrc.training.evaluation import evaluate as evaluate
from nbsrc.training.loop import TrainingDiverged as TrainingDiverged
from nbsrc.training.loop import train as train
from nbsrc.training.progress import Progress as Progress
from nbsrc.training.progress import ProgressCallback as ProgressCallback
from nbsrc.training.schedules import InverseDecay as InverseDecay
from nbsrc.training.schedules import Schedule as Schedule
from nbsrc.training.schedules import StepDecay as StepDecay
from nbsrc.training.settings import TrainingSettings as TrainingSettings
from nbsrc.training.stacked import Stacked as Stacked
