"""Noise, what is learnt of it, and samplers, beside diffusers and beside what is known in closed form."""

import re
import sys

import pytest
import torch

from core.errors import UserError
from core.extras import installing
from models.diffusion import LAST_TIME, MIN_SNR_GAMMA, NUM_TIMES, NoiseSchedule, draw

TIMES = torch.tensor([0, 1, 250, 500, 900, 998, LAST_TIME])
SAMPLERS = ("dpm", "ddim")


@pytest.fixture(scope="module")
def schedule():
    return NoiseSchedule()


@pytest.fixture(scope="module")
def published():
    """The schedule of Stable Diffusion, rescaled, as diffusers has it."""
    diffusers = pytest.importorskip("diffusers")
    return diffusers.DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", rescale_betas_zero_snr=True
    )


@pytest.fixture(scope="module")
def colors():
    """(clean, noise) of a photo for each of the times."""
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(len(TIMES), 2, 4, 5, generator=generator) for _ in range(2))


def test_noise_and_velocity_are_those_of_diffusers(schedule, published, colors):
    assert torch.allclose(schedule.noisy(*colors, TIMES), published.add_noise(*colors, TIMES), atol=1e-5)
    expected = published.get_velocity(*colors, TIMES)
    assert torch.allclose(schedule.velocity(*colors, TIMES), expected, atol=1e-5)


def test_nothing_is_left_at_the_last_time(schedule, colors):
    assert schedule.alpha[LAST_TIME] == 0
    assert schedule.sigma[LAST_TIME] == 1
    assert torch.equal(schedule.noisy(*colors, TIMES)[-1], colors[1][-1])
    assert torch.equal(schedule.velocity(*colors, TIMES)[-1], -colors[0][-1])


def test_velocity_leads_back_to_the_colours(schedule, colors):
    noisy, v = schedule.noisy(*colors, TIMES), schedule.velocity(*colors, TIMES)
    assert torch.allclose(schedule.clean(noisy, v, TIMES), colors[0], atol=1e-5)


def test_loss_weights_by_the_formula(schedule):
    """The error of the colours counts min(SNR + 1, gamma): that of v is SNR + 1 times as large."""
    times = torch.arange(NUM_TIMES)
    snr = schedule.alpha.double().square() / schedule.sigma.double().square()
    expected = (snr + 1).clamp(max=MIN_SNR_GAMMA) / (snr + 1)
    assert torch.allclose(schedule.loss_weights(times).double(), expected, rtol=1e-4)
    assert schedule.loss_weights(times)[LAST_TIME] == 1


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("num_steps", [1, 2, 7, 8, 25])
def test_who_knows_the_truth_draws_it(schedule, colors, sampler, num_steps):
    """By way of v, as the network does; so many passes are made, from the last time on."""
    pytest.importorskip("diffusers")
    truth, noise = colors
    passes = []

    def guess(seen, time):
        passes.append(time)
        times = torch.full((len(seen),), time)
        alpha, sigma = schedule.at(times)
        v = schedule.velocity(truth, (seen - alpha * truth) / sigma, times)
        return schedule.clean(seen, v, times)

    found = draw(guess, noise, sampler=sampler, num_steps=num_steps)
    assert (found - truth).abs().max() < 1e-4
    assert len(passes) == num_steps
    assert passes[0] == LAST_TIME
    assert passes == sorted(passes, reverse=True)


@pytest.mark.parametrize(("sampler", "tolerance"), [("dpm", 0.015), ("ddim", 0.035)])
def test_colours_of_a_normal_distribution_are_drawn_from_it(schedule, sampler, tolerance):
    """The best guess is linear then, and noise e ends, the nearer the more steps, at mean + deviation * e."""
    pytest.importorskip("diffusers")
    mean, deviation = 0.7, 0.4
    noise = torch.linspace(-3, 3, 50).view(1, 1, 1, -1)

    def guess(seen, time):
        alpha, sigma = schedule.alpha[time], schedule.sigma[time]
        gain = alpha * deviation**2 / (alpha**2 * deviation**2 + sigma**2)
        return mean + gain * (seen - alpha * mean)

    def error(num_steps):
        found = draw(guess, noise, sampler=sampler, num_steps=num_steps)
        return (found - (mean + deviation * noise)).abs().max()

    assert error(200) < tolerance
    assert error(400) < 0.65 * error(200)


def test_ddim_is_that_of_diffusers(schedule, colors):
    """Where the steps divide the times; with the clean colours of a guess that is wrong."""
    diffusers = pytest.importorskip("diffusers")
    options = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    options |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing", "prediction_type": "sample"}
    reference = diffusers.DDIMScheduler(**options, clip_sample=False)
    reference.set_timesteps(8)
    seen, looked = colors[1], []
    for time in reference.timesteps.tolist():
        looked.append(seen)
        seen = reference.step((seen + time / 1000).sin(), time, seen).prev_sample
    expected = iter(looked)

    def guess(seen, time):
        assert torch.allclose(seen, next(expected), atol=1e-3)
        return (seen + time / 1000).sin()

    found = draw(guess, colors[1], sampler="ddim", num_steps=8)
    assert torch.allclose(found, seen, atol=1e-3)
    assert not list(expected)


def test_without_diffusers_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)  # importing it is an ImportError then
    with pytest.raises(UserError, match=rf"needs diffusers .*: {re.escape(installing('diffusion'))}$"):
        draw(lambda seen, _: seen, torch.zeros(1, 2, 2, 2), sampler="dpm", num_steps=2)
