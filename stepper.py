"""One step of a training: the gradients of a batch over its parts and over all processes, and the update."""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from data.batch import Batch
from device import autocast
from distributed import world
from finite_guard import FiniteGuard
from models.base import ColorizationModel, Criterion


class Stepper:
    """Turns batches into updates of a model.

    Whatever the number of processes, and of parts that a batch is computed in, every photo of the
    global batch weighs the same.
    """

    def __init__(
        self,
        model: ColorizationModel,
        criterion: Criterion,
        *,
        lr: float,
        device: torch.device,
        dtype: torch.dtype,
        num_parts: int = 1,
    ) -> None:
        """
        Args:
            model: on its device.
            criterion: the loss.
            lr: learning rate of Adam.
            device, dtype: where and in what the network computes.
            num_parts: parts in which each process computes its photos; more take less memory.
        """
        self.model, self.device, self.dtype, self.num_parts = model, device, dtype, num_parts
        trainable = [p for p in model.parameters() if p.requires_grad]
        # The fused update is the one that can be called off on the device: see FiniteGuard.
        self.optimizer = torch.optim.Adam(trainable, lr=lr, fused=True)
        self.guard = FiniteGuard(self.optimizer, device)
        self.losses: nn.Module = _Losses(model, criterion)
        if world().size > 1:
            self.losses = DistributedDataParallel(self.losses, broadcast_buffers=False)

    def step(self, number: int, batch: Batch, num_global: int) -> Tensor:
        """Update the model by one batch.

        Args:
            number: of the step, for the guard.
            batch: this process's photos, at least 2 for each process.
            num_global: photos of all processes in this step.
        Returns:
            (), on the device: the sum of this process's photos' losses.
        """
        loss = self.backward(batch, num_global)
        self.guard.watch(number, loss)
        # The fused update of MPS does not read what the guard tells it: there the host has to look.
        if self.device.type != "mps" or not self.guard.first_bad:
            self.optimizer.step()
        self.model.constrain()
        return loss * (num_global / world().size)

    def set_lr(self, lr: float) -> None:
        """Set the learning rate of the steps to come."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def backward(self, batch: Batch, num_global: int) -> Tensor:
        """Leave the gradients of the global batch's mean loss in the parameters.

        Returns:
            (), this process's weighted loss: its mean over the processes is the mean over the photos.
        """
        self.optimizer.zero_grad()
        total = torch.zeros((), device=self.device)
        # As many in every process, however its share was rounded: batch norm meets the others in each.
        smallest_share = num_global // world().size
        parts = batch.split(max(1, min(self.num_parts, smallest_share // 2)))
        for part in parts:
            with self._exchange_if(part is parts[-1]):
                with autocast(self.device, self.dtype):
                    losses = self.losses(part)
                # The gradients are averaged over the processes; the loss is a mean over the part.
                weight = len(part) * world().size / num_global
                loss = torch.stack(list(losses.values())).sum() * weight
                loss.backward()
            total = total + loss.detach()
        return total

    def _exchange_if(self, is_last: bool) -> contextlib.AbstractContextManager[None]:
        """Gradients cross between the processes once per step, with its last part."""
        if is_last or not isinstance(self.losses, DistributedDataParallel):
            return contextlib.nullcontext()
        return self.losses.no_sync()


class _Losses(nn.Module):
    """A model's step as a forward pass, which is what DistributedDataParallel wraps."""

    def __init__(self, model: ColorizationModel, criterion: Criterion) -> None:
        super().__init__()
        self.model, self.criterion = model, criterion

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        return self.model.step(batch, self.criterion)
