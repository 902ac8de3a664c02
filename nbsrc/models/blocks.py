"""Pre-activation residual blocks, which torchvision does not have."""

from __future__ import annotations

from torch import Tensor, nn

from nbsrc.torchvision_compat import torchvision_models

__all__ = ["PreActivation"]


class PreActivation(nn.Module):
    """A residual block with batch norm and ReLU before each convolution (He et al. 2016).

    The shortcut is the input itself, or, where the shape changes, a 1x1 convolution of the
    activated input. Squeeze-and-excitation (Hu et al. 2018), if any, scales the branch before the
    sum; it reduces the channels by 16.
    """

    def __init__(self, before: int, after: int, stride: int, *, squeeze: bool = False) -> None:
        """Make a block from ``before`` channels to ``after`` channels."""
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.squeeze = _squeeze_excitation(after) if squeeze else nn.Identity()
        self.shortcut: nn.Module | None = None
        if stride != 1 or before != after:
            self.shortcut = nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x: ``[batch, before, height, width]``.

        Returns:
            ``[batch, after, out_height, out_width]``.
        """
        active = self.relu1(self.bn1(x))
        branch = self.conv2(self.relu2(self.bn2(self.conv1(active))))
        short = x if self.shortcut is None else self.shortcut(active)
        total: Tensor = self.squeeze(branch) + short
        return total


def _squeeze_excitation(channels: int) -> nn.Module:
    torchvision_models()
    from torchvision.ops.misc import SqueezeExcitation

    built: nn.Module = SqueezeExcitation(channels, max(1, channels // 16))
    return built
