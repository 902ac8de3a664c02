"""The random numbers of a training run: all of them follow from one generator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["augmentation_generator", "drawn_seed", "own_random_state"]


def drawn_seed(generator: torch.Generator) -> int:
    """Draw the seed of whatever is random besides the order of the images.

    Args:
        generator: The run's generator, on the CPU; it moves on by one draw.

    Returns:
        The seed.
    """
    return int(torch.randint(2**62, (), generator=generator))


def augmentation_generator(seed: int) -> torch.Generator:
    """Make the augmentation's own generator.

    Args:
        seed: From :func:`drawn_seed`.

    Returns:
        A generator on the CPU, seeded differently from torch's global state.
    """
    return torch.Generator().manual_seed(seed + 1)


@contextmanager
def own_random_state(device: torch.device, seed: int) -> Iterator[None]:
    """Seed torch's global random state for a while, then restore it.

    Args:
        device: Where the run is.
        seed: From :func:`drawn_seed`.

    Yields:
        Nothing.
    """
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(seed)
        for _ in devices:
            torch.cuda.manual_seed(seed)
        yield
