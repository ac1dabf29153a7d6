"""liu2023: colours drawn by diffusion, given what a pretrained encoder sees in the photo, and words.

After Liu, Xing, Xie, Li and Wong 2023, "Improved Diffusion-based Image Colorization via Piggybacked Models".
Theirs rides on the weights of Stable Diffusion; this one rides on an encoder of ImageNet, so that it can be
trained without them. What differs: the denoiser is a small U-Net, trained from random weights, that works on
a* and b* at a fourth of the photo's size instead of on the codes of an autoencoder; there is no decoder that
knows the lightness, since L* stays the photo's own and its edges carry the colours to full size; a prompt
says the words of the training photos' classes, instead of whatever CLIP knows; hints are not seen. The
denoiser gives v instead of the noise, and the schedule ends in noise alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar, NamedTuple, Self

import torch
from torch import Tensor

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
"""a* and b* by which the denoiser counts: some twice the deviation of those of photos."""


class Preset(NamedTuple):
    """Channels at each scale of the denoiser, its blocks there, and channels of a word."""

    widths: tuple[int, int, int, int]
    num_blocks: int
    c_words: int


_PRESETS = {"paper": Preset((128, 192, 320, 448), 2, 128), "small": Preset((32, 64, 96, 128), 1, 32)}


class Lesson(NamedTuple):
    """What the denoiser is to learn from.

    Attributes:
        noisy: (N, 2, h, w), colours / `AB_UNIT` with noise, at a fourth of the photos' size.
        times: (N,) int64, of the noise.
        prompts: N, said of the photos; '' for nothing.
    """

    noisy: Tensor
    times: Tensor
    prompts: Sequence[str]


class Output(NamedTuple):
    """
    Attributes:
        ab: (N, 2, H, W) float32, CIELAB units; None where they are not wanted.
        v: (N, 2, h, w), what the denoiser makes of a lesson; None where there was none.
    """

    ab: Tensor | None
    v: Tensor | None = None


class Liu2023(ColorizationModel):
    """A frozen encoder of timm, and a denoiser that is guided by what it sees."""

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
        """Without seeds: trainings and tests look at the best guess, which takes one pass and repeats."""
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
        """Colours, and what the denoiser makes of a lesson.

        Args:
            L: (N, 1, H, W) float32, in [0, 100].
            seeds: (N,) int64, to draw colours by. None: the mean of those that the photo may have, which is
                what the denoiser gives for noise alone.
            prompt: N, said of the photos.
            lesson: to learn from.
            with_colors: whether the colours are wanted, too.
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
        check_diffusers()

    def train(self, mode: bool = True) -> Self:
        """Set the training mode, but for the encoder."""
        super().train(mode)
        self.encoder.eval()
        return self

    def load_pretrained(self) -> None:
        """Load the encoder that `encoder_weights` names.

        Raises:
            UserError: it cannot be had; there is no fallback to a random one.
        """
        self.encoder.load_imagenet(self.settings.encoder_weights)

    def _guess(self, noisy: Tensor, time: int, guides: list[Tensor], prompt: Sequence[str] | None) -> Tensor:
        """The colours / `AB_UNIT` behind the noise, by the prompt where one is known.

        Classifier-free guidance (Ho and Salimans 2022): from what is seen without words towards what is seen
        with them, as far as `guidance_scale` says.
        """
        times = torch.full_like(noisy[:, 0, 0, 0], time, dtype=torch.int64)
        v = self._velocity(noisy, times, guides, self.words.nothing(noisy.shape[0]))
        if prompt is not None and any(self.words.knows(text) for text in prompt):
            told = self._velocity(noisy, times, guides, self.words(prompt))
            v = v + self.settings.guidance_scale * (told - v)
        # No colour of sRGB lies beyond; guidance may well lead there.
        return self.schedule.clean(noisy, v, times).clamp(-AB_SCALE / AB_UNIT, AB_SCALE / AB_UNIT)

    def _velocity(
        self, noisy: Tensor, times: Tensor, guides: list[Tensor], words: tuple[Tensor, Tensor | None]
    ) -> Tensor:
        """What the denoiser says. At the last time it is shown nothing: what it says repeats."""
        shown = noisy * (times < LAST_TIME)[:, None, None, None]
        v: Tensor = self.denoiser(shown, times, guides, words)
        return v.to(noisy)


def generators_of(seeds: Tensor) -> list[torch.Generator]:
    """One for each seed (N,) int64, on the CPU: everywhere they give the same."""
    return [torch.Generator().manual_seed(seed) for seed in seeds.tolist()]


def normal(generators: Sequence[torch.Generator], shape: Sequence[int]) -> Tensor:
    """Normally distributed noise, (N, *shape) float32."""
    return torch.stack([torch.randn(*shape, generator=g) for g in generators])
