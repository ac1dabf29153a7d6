"""Batch norm over the photos of all processes, so that the number of processes does not change a training."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from core.distributed import sum_over_processes


def synchronize_batch_norm(model: nn.Module, device: torch.device) -> nn.Module:
    """Make every batch norm of a model compute its mean and variance over all processes.

    GPUs use PyTorch's own layer, which does not support other devices. The state dict is the same, and
    in evaluation mode nothing is exchanged.
    """
    if device.type == "cuda":
        from timm.layers import convert_sync_batchnorm  # PyTorch's would drop the activations of timm's

        converted: nn.Module = convert_sync_batchnorm(model)
        return converted
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = _SyncBatchNorm2d
        elif isinstance(module, nn.BatchNorm2d) and hasattr(module, "act"):  # BatchNormAct2d of timm
            module.__class__ = _SyncBatchNormAct2d
    return model


class _SyncBatchNorm2d(nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        values = x.to(torch.promote_types(x.dtype, torch.float32))  # float32, or wider
        own_count = values.new_tensor([x.numel() / x.shape[1]])
        sums = _Sum.apply(torch.cat((values.sum(dim=(0, 2, 3)), own_count)))
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centered = values - mean[:, None, None]
        # From centered values: E[x^2] - E[x]^2 would lose precision.
        variance = _Sum.apply(centered.square().sum(dim=(0, 2, 3))) / count
        self._update(mean.detach(), variance.detach() * count / (count - 1))
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centered * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)

    @torch.no_grad()
    def _update(self, mean: Tensor, unbiased_variance: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean.to(self.running_mean), self.momentum)
        self.running_var.lerp_(unbiased_variance.to(self.running_var), self.momentum)


class _SyncBatchNormAct2d(_SyncBatchNorm2d):
    """Synchronized batch norm followed by dropout and an activation."""

    drop: nn.Module
    act: nn.Module

    def forward(self, x: Tensor) -> Tensor:
        activated: Tensor = self.act(self.drop(super().forward(x)))
        return activated


class _Sum(torch.autograd.Function):
    """Sum over the processes. All of them see the sum, so its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return sum_over_processes(x.clone())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return sum_over_processes(gradients[0].clone())
