"""Stop a training at its first non-finite step, without synchronizing with the device in every step."""

from __future__ import annotations

import torch
from torch import Tensor

from core.distributed import gather
from core.errors import UserError

DIVERGED = "the epochs before are kept; start a new run with a smaller --lr"


class FiniteGuard:
    """Stop a training at the first non-finite loss or gradient, without synchronizing in every step.

    The first bad step is noted on the device. From it on the fused optimizer leaves weights and
    moments alone: it reads `found_inf`, the flag through which gradient scaling calls updates off.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, device: torch.device) -> None:
        self.optimizer = optimizer
        self.first_bad = torch.zeros((), dtype=torch.int64, device=device)
        self.parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def watch(self, step: int, loss: Tensor) -> None:
        """Check the loss and gradients of a step on the device, after backward and before the update."""
        norm = torch.nn.utils.get_total_norm([p.grad for p in self.parameters if p.grad is not None])
        is_first = ~torch.isfinite(loss + norm) & (self.first_bad == 0)
        self.first_bad = torch.where(is_first, step, self.first_bad)
        self.optimizer.found_inf = (self.first_bad > 0).float()  # type: ignore[attr-defined]

    def check(self, epoch: int) -> None:
        """Read the flag from the device; with several processes, all of them must call this.

        Raises:
            UserError: a step was not finite; names the first.
        """
        steps = [step for step in gather(int(self.first_bad)) if step]
        if step := min(steps, default=0):
            raise UserError(f"the loss of epoch {epoch}, step {step} is not finite; {DIVERGED}")
