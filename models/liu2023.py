"""liu2023: colours sampled by diffusion, conditioned on a pretrained encoder's features and on a prompt.

After Liu, Xing, Xie, Li and Wong 2023, "Improved Diffusion-based Image Colorization via Piggybacked Models".
Theirs builds on the weights of Stable Diffusion; this one builds on an ImageNet encoder, so that it can be
trained without them. What differs: the denoiser is a small U-Net, trained from random weights, that works on
a* and b* at a fourth of the photo's size instead of on an autoencoder's latents; there is no lightness-aware
decoder, since the photo's L* is kept and colours are upsampled to it; the vocabulary of prompts is that of
the training photos' class names, instead of CLIP's; hints are not supported. The denoiser predicts v instead
of the noise, and the schedule ends in pure noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar, NamedTuple, Self

import torch
from torch import Tensor

from core.errors import UserError
from data.batch import Batch
from data.color import AB_SCALE, gray_to_rgb
from models.base import ColorizationModel, one_by_one
from models.denoiser import Denoiser, Guider
from models.diffusion import LAST_TIME, NoiseSchedule, check_diffusers, draw
from models.inputs import Inputs
from models.settings import Liu2023Settings
from models.timm_encoder import TimmEncoder
from models.unet import stretch
from models.words import WordEmbedding

AB_UNIT = 32.0
"""Scale by which the denoiser divides a* and b*: about twice their standard deviation in photos."""


class Preset(NamedTuple):
    """Channels at each scale of the denoiser, number of blocks per scale, and channels of a word vector."""

    widths: tuple[int, int, int, int]
    num_blocks: int
    c_words: int


_PRESETS = {"paper": Preset((128, 192, 320, 448), 2, 128), "small": Preset((32, 64, 96, 128), 1, 32)}


class Lesson(NamedTuple):
    """Training inputs of the denoiser.

    Attributes:
        noisy: (N, 2, h, w), colours / `AB_UNIT` with noise, at a fourth of the photos' size.
        times: (N,) int64, diffusion times of the noise.
        prompts: N texts that describe the photos; '' for none.
    """

    noisy: Tensor
    times: Tensor
    prompts: Sequence[str]


class Output(NamedTuple):
    """
    Attributes:
        ab: (N, 2, H, W) float32, CIELAB units; None without `with_colors`.
        v: (N, 2, h, w), the denoiser's prediction for a lesson; None without one.
    """

    ab: Tensor | None
    v: Tensor | None = None


class Liu2023(ColorizationModel):
    """A frozen timm encoder, and a denoiser conditioned on its features."""

    Settings = Liu2023Settings
    summary: ClassVar[str] = "Liu et al. 2023: diffusion on a pretrained encoder draws colours, by words too"
    accepts = frozenset({"seeds", "prompt"})
    is_random = True
    encoder: TimmEncoder

    def __init__(self, settings: Liu2023Settings) -> None:
        super().__init__(settings)
        preset = _PRESETS[settings.preset]
        self.encoder = TimmEncoder(settings.encoder).requires_grad_(False)
        self.guider = Guider(self.encoder.channels, preset.widths)
        self.denoiser = Denoiser(preset.widths, preset.num_blocks, preset.c_words)
        self.words = WordEmbedding(preset.c_words)
        self.schedule = NoiseSchedule()

    def inputs(self, batch: Batch) -> Inputs:
        """Omit seeds: training and test use the mean prediction, deterministic and in one pass."""
        return Inputs(batch.L)

    def forward(
        self,
        L: Tensor,
        seeds: Tensor | None = None,
        prompt: Sequence[str] | None = None,
        lesson: Lesson | None = None,
        *,
        with_colors: bool = True,
    ) -> Output:
        """Predict colours and, given a lesson, v.

        Args:
            L: (N, 1, H, W) float32, in [0, 100].
            seeds: (N,) int64, for sampling. None: the mean of the photo's possible colours, which is the
                denoiser's prediction at the last time, that of pure noise.
            prompt: N texts that describe the photos.
            lesson: training inputs; None: no v.
            with_colors: whether to compute the colours.
        """
        if seeds is not None and len(L) > 1:
            alone = one_by_one(lambda i: self(L[i], seeds[i], None if prompt is None else prompt[i]), len(L))
            return Output(torch.cat([out.ab for out in alone]))
        guides = self.guider(self.encoder(gray_to_rgb(L)), L)
        v = None
        if lesson is not None:
            v = self._velocity(lesson.noisy, lesson.times, guides, self.words(lesson.prompts))
        if not with_colors:
            return Output(None, v)
        guess = partial(self._guess, guides=guides, prompt=prompt)
        shape = (2, *guides[0].shape[-2:])
        if seeds is None:
            clean = guess(L.new_zeros(L.shape[0], *shape), LAST_TIME)
        else:
            noise = normal(generators_of(seeds), shape).to(L)
            settings = self.settings
            clean = draw(guess, noise, sampler=settings.sampler, num_steps=settings.steps)
        return Output(stretch(AB_UNIT * clean, L), v)

    def colors(self, out: Output, L: Tensor) -> Tensor:
        """See the base class."""
        assert out.ab is not None
        return out.ab

    def unknown_words(self, prompt: str) -> list[str]:
        """See the base class."""
        return self.words.unknown(prompt)

    def check_drawing(self) -> None:
        """See the base class."""
        if self.settings.steps == 1:
            raise UserError(
                "--steps=1 gives the best guess, whatever the seed: take 2 or more to draw colours"
            )
        check_diffusers()

    def train(self, mode: bool = True) -> Self:
        """Set the training mode, except for the frozen encoder."""
        super().train(mode)
        self.encoder.eval()
        return self

    def load_pretrained(self) -> None:
        """Load the encoder that `encoder_weights` names.

        Raises:
            UserError: it is not available; there is no fallback to a random one.
        """
        self.encoder.load_imagenet(self.settings.encoder_weights)

    def _guess(self, noisy: Tensor, time: int, guides: list[Tensor], prompt: Sequence[str] | None) -> Tensor:
        """Predict the clean colours / `AB_UNIT`, with the prompt if one has known words.

        Classifier-free guidance (Ho and Salimans 2022): extrapolate from the prediction without words towards
        that with words by `guidance_scale`.
        """
        times = torch.full_like(noisy[:, 0, 0, 0], time, dtype=torch.int64)
        v = self._velocity(noisy, times, guides, self.words.nothing(noisy.shape[0]))
        if prompt is not None and any(self.words.knows(text) for text in prompt):
            told = self._velocity(noisy, times, guides, self.words(prompt))
            v = v + self.settings.guidance_scale * (told - v)
        # Guidance can exceed this range, which holds all sRGB colours.
        return self.schedule.clean(noisy, v, times).clamp(-AB_SCALE / AB_UNIT, AB_SCALE / AB_UNIT)

    def _velocity(
        self, noisy: Tensor, times: Tensor, guides: list[Tensor], words: tuple[Tensor, Tensor | None]
    ) -> Tensor:
        """Predict v. At the last time the noise is replaced by 0, so that the prediction is deterministic."""
        shown = noisy * (times < LAST_TIME)[:, None, None, None]
        v: Tensor = self.denoiser(shown, times, guides, words)
        return v.to(noisy)


def generators_of(seeds: Tensor) -> list[torch.Generator]:
    """Create a generator per seed (N,) int64, on the CPU, so that numbers are the same on all devices."""
    return [torch.Generator().manual_seed(seed) for seed in seeds.tolist()]


def normal(generators: Sequence[torch.Generator], shape: Sequence[int]) -> Tensor:
    """Draw standard normal noise, (N, *shape) float32, one photo per generator."""
    return torch.stack([torch.randn(*shape, generator=g, dtype=torch.float32) for g in generators])
