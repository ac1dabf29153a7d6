"""One training step: gradients of a batch, accumulated over parts and processes, and the update."""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from core.device import autocast
from core.distributed import world
from data.batch import Batch
from engine.guard import FiniteGuard
from models.base import ColorizationModel
from models.objective import Objective, Update


class Stepper:
    """Perform optimization steps, with gradient accumulation and several processes.

    Whatever the number of processes, and of parts that a batch is computed in, every photo of the
    global batch weighs the same.
    """

    def __init__(
        self,
        model: ColorizationModel,
        objective: Objective,
        *,
        lr: float,
        device: torch.device,
        dtype: torch.dtype,
        num_parts: int = 1,
    ) -> None:
        """
        Args:
            model: on its device.
            objective: supplies the losses; on the same device.
            lr: learning rate of Adam.
            device, dtype: of the computation; dtype is that of autocast.
            num_parts: parts into which each process splits its photos; more parts take less memory.
        """
        self.model, self.device, self.dtype, self.num_parts = model, device, dtype, num_parts
        self.updates = objective.updates(model)
        # One optimizer for all updates: it skips parameters without a gradient, those of the other updates.
        self.groups = [(update, group) for update in self.updates for group in update.groups]
        groups = [{"params": group.parameters, "betas": update.betas} for update, group in self.groups]
        # Only the fused optimizer can skip an update by a flag on the device: see FiniteGuard.
        self.optimizer = torch.optim.Adam(groups, lr=lr, fused=True)
        self.set_lr(lr)
        self.guard = FiniteGuard(self.optimizer, device)
        self.losses = [self._wrap(_Losses(model, objective, update)) for update in self.updates]

    def step(self, number: int, batch: Batch, num_global: int) -> dict[str, Tensor]:
        """Update the model on one batch.

        Args:
            number: of the step, for the guard.
            batch: this process's photos, at least 2 for each process.
            num_global: photos of all processes in this step.
        Returns:
            Loss term -> () on the device: its sum over this process's photos.
        """
        found: dict[str, Tensor] = {}
        for turn in range(len(self.updates)):
            terms = self.backward(batch, num_global, turn)
            self.guard.watch(number, torch.stack(list(terms.values())).sum())
            # The fused optimizer ignores the guard's flag on MPS: there the host has to read it.
            if self.device.type != "mps" or not self.guard.first_bad:
                self.optimizer.step()
            found |= terms
        self.model.clamp_()
        return {name: term * (num_global / world().size) for name, term in found.items()}

    def set_lr(self, lr: float) -> None:
        """Set the learning rate of the following steps."""
        self.lr = lr
        for stored, (_, group) in zip(self.optimizer.param_groups, self.groups, strict=True):
            stored["lr"] = lr * group.lr_factor

    def backward(self, batch: Batch, num_global: int, turn: int = 0) -> dict[str, Tensor]:
        """Compute the gradients of the global batch's mean loss for the parameters of one update.

        Returns:
            Loss term -> (): this process's weighted loss; its mean over processes is the mean over photos.
        """
        self.optimizer.zero_grad()
        self._focus(self.updates[turn])
        found: dict[str, Tensor] = {}
        # The same number of parts in every process: batch norm synchronizes in each part.
        smallest_share = num_global // world().size
        parts = batch.split(max(1, min(self.num_parts, smallest_share // 2)))
        for part in parts:
            with self._exchange_if(part is parts[-1], self.losses[turn]):
                with autocast(self.device, self.dtype):
                    losses = self.losses[turn](part)
                # The gradients are averaged over the processes; the loss is a mean over the part.
                weight = len(part) * world().size / num_global
                (torch.stack(list(losses.values())).sum() * weight).backward()
            for name, loss in losses.items():
                found[name] = found.get(name, 0) + loss.detach() * weight
        return found

    def _focus(self, update: Update) -> None:
        """Enable gradients for the parameters of one update, and disable them for the others."""
        for other in self.updates:
            for parameter in other.parameters:
                parameter.requires_grad_(other is update)

    def _wrap(self, losses: _Losses) -> nn.Module:
        if world().size == 1:
            return losses
        self._focus(losses.update)  # DDP registers the parameters that require gradients now
        return DistributedDataParallel(losses, broadcast_buffers=False)

    def _exchange_if(self, is_last: bool, losses: nn.Module) -> contextlib.AbstractContextManager[None]:
        """Synchronize gradients between processes only in the last part of an update."""
        if is_last or not isinstance(losses, DistributedDataParallel):
            return contextlib.nullcontext()
        return losses.no_sync()


class _Losses(nn.Module):
    """The losses of an update as a forward pass, which is what DistributedDataParallel wraps."""

    def __init__(self, model: ColorizationModel, objective: Objective, update: Update) -> None:
        super().__init__()
        self.model, self.objective, self.update = model, objective, update  # all parameters in one module

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        return self.update.losses(self.model, batch)
