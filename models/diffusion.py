"""Diffusion of colours: how noise is mixed into them, what a network learns of it, how colours are drawn.

At time t of T the colours x are seen as alpha x + sigma e with noise e, and the network learns
v = alpha e - sigma x (Salimans and Ho 2022, appendix D). alpha and sigma are those of Stable Diffusion,
rescaled so that at the last time nothing is left of the colours (Lin et al. 2023, algorithm 1).
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
"""The time at which there is noise alone."""
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
        """What is seen at these times of colours (N, C, H, W) and noise of their shape."""
        alpha, sigma = self.at(times)
        return alpha * clean + sigma * noise

    def velocity(self, clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        """v, which the network learns."""
        alpha, sigma = self.at(times)
        return alpha * noise - sigma * clean

    def clean(self, noisy: Tensor, velocity: Tensor, times: Tensor) -> Tensor:
        """The colours that v means, given what is seen."""
        alpha, sigma = self.at(times)
        return alpha * noisy - sigma * velocity

    def loss_weights(self, times: Tensor) -> Tensor:
        """(N,), of the squared error of v: min(SNR + 1, gamma) / (SNR + 1), and SNR + 1 = 1 / sigma^2.

        Hang et al. 2023, section 3.5, have min(SNR, gamma) there, by which the last time, from which every
        drawing starts, would not be learnt at all.
        """
        return (MIN_SNR_GAMMA * self.sigma[times].square()).clamp(max=1)


def draw(guess: Callable[[Tensor, int], Tensor], noise: Tensor, *, sampler: str, num_steps: int) -> Tensor:
    """Colours that a denoiser makes of noise.

    Args:
        guess: (what is seen, time) -> the colours behind it, of the same shape.
        noise: (N, C, H, W), normally distributed: what is seen at the last time.
        sampler: dpm or ddim.
        num_steps: calls of the denoiser.
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
    """The sampler of diffusers: DPM-Solver++ of order 2 (Lu et al. 2022), or of order 1, which is DDIM.

    DDIMScheduler itself goes by steps of T // num_steps, which lead elsewhere where that leaves a remainder.
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
