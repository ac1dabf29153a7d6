"""Diffusion of colours: noise schedule, training target of the network, and sampling.

At time t of T the noisy colours are alpha x + sigma e, for colours x and noise e; the network predicts
v = alpha e - sigma x (Salimans and Ho 2022, appendix D). alpha and sigma are those of Stable Diffusion,
rescaled so that the last time is pure noise (Lin et al. 2023, algorithm 1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import UserError
from core.extras import installing

NUM_TIMES = 1000
LAST_TIME = NUM_TIMES - 1
"""The time of pure noise."""
MIN_SNR_GAMMA = 5.0
_BETAS = (0.00085, 0.012)


class NoiseSchedule(nn.Module):
    """alpha and sigma of each time; alpha^2 + sigma^2 = 1."""

    alpha: Tensor
    sigma: Tensor

    def __init__(self) -> None:
        super().__init__()
        first, last = (beta**0.5 for beta in _BETAS)
        betas = torch.linspace(first, last, NUM_TIMES, dtype=torch.float64).square()
        alpha = (1 - betas).cumprod(0).sqrt()
        alpha = (alpha - alpha[-1]) * alpha[0] / (alpha[0] - alpha[-1])
        self.register_buffer("alpha", alpha.float(), persistent=False)
        self.register_buffer("sigma", (1 - alpha.square()).sqrt().float(), persistent=False)

    def at(self, times: Tensor) -> tuple[Tensor, Tensor]:
        """alpha and sigma, (N, 1, 1, 1) each, of times (N,) int64."""
        return self.alpha[times][:, None, None, None], self.sigma[times][:, None, None, None]

    def noisy(self, clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """Add noise to clean colours (N, C, H, W) at the given times."""
        alpha, sigma = self.at(times)
        return alpha * clean + sigma * noise

    def velocity(self, clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """Compute v, the network's training target."""
        alpha, sigma = self.at(times)
        return alpha * noise - sigma * clean

    def clean(self, noisy: Tensor, velocity: Tensor, times: Tensor) -> Tensor:
        """Recover the clean colours from noisy ones and v."""
        alpha, sigma = self.at(times)
        return alpha * noisy - sigma * velocity

    def loss_weights(self, times: Tensor) -> Tensor:
        """Weights (N,) of the squared error of v: min(SNR + 1, gamma) / (SNR + 1); SNR + 1 = 1 / sigma^2.

        Hang et al. 2023, section 3.5, use min(SNR, gamma), which is 0 at the last time: the step from which
        all sampling starts would not be trained.
        """
        return (MIN_SNR_GAMMA * self.sigma[times].square()).clamp(max=1)


def draw(guess: Callable[[Tensor, int], Tensor], noise: Tensor, *, sampler: str, num_steps: int) -> Tensor:
    """Sample colours with a denoiser, starting from noise.

    Args:
        guess: (noisy colours, time) -> predicted clean colours of the same shape.
        noise: (N, C, H, W), standard normal: the input at the last time.
        sampler: dpm or ddim.
        num_steps: number of calls of the denoiser.
    Raises:
        UserError: diffusers is not installed.
    """
    scheduler = _scheduler(sampler)
    scheduler.set_timesteps(num_steps)
    seen = clean = noise
    for time in scheduler.timesteps.tolist():
        clean = guess(seen, time)
        seen = scheduler.step(clean, time, seen).prev_sample
    return clean


def _scheduler(sampler: str) -> Any:
    """Build the sampler of diffusers: DPM-Solver++ of order 2 (Lu et al. 2022), or of order 1, i.e. DDIM.

    DDIMScheduler itself uses steps of T // num_steps: a different schedule if there is a remainder.
    """
    check_diffusers()
    from diffusers import DPMSolverMultistepScheduler  # here: it takes seconds to import

    return DPMSolverMultistepScheduler(
        num_train_timesteps=NUM_TIMES,
        beta_start=_BETAS[0],
        beta_end=_BETAS[1],
        beta_schedule="scaled_linear",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",  # from the last time on
        prediction_type="sample",
        solver_order={"dpm": 2, "ddim": 1}[sampler],
    )


def check_diffusers() -> None:
    """
    Raises:
        UserError: diffusers is not installed.
    """
    try:
        import diffusers  # noqa: F401
    except ImportError as error:
        raise UserError(f"drawing colours needs diffusers ({error}): {installing('diffusion')}") from error
