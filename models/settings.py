"""The settings of every model, in a file of their own, so that the command line needs no torch."""

from __future__ import annotations

from dataclasses import dataclass

from core.settings import check_ranges, setting

# Modes that take one model: a plain state dict does not hold its settings.
_MODES = ("train", "test", "predict", "export", "serve")

PRESETS = ("paper", "small")


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """Settings common to all models; subclasses add a model's own. They become command-line flags."""

    preset: str = setting(
        "paper",
        "paper: as many channels as published; small: a fraction of them, to train without a GPU",
        modes=_MODES,
        choices=PRESETS,
    )

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True, kw_only=True)
class GAESettings(ModelSettings):
    """Settings of model1."""

    gamma_mode: str = setting(
        "power",
        "power: the published form, ((x+1)/2)^gamma, which tints gray when gamma leaves 1; "
        "signed: sign(x)|x|^gamma, which keeps gray gray; fixed: gamma stays what it is, 1 in a new training",
        modes=_MODES,
        choices=("power", "signed", "fixed"),
    )


@dataclass(frozen=True, kw_only=True)
class ResNetBaselineSettings(ModelSettings):
    """Settings of model2."""

    encoder_weights: str = setting(
        "imagenet",
        "where a new training takes its frozen encoder from: imagenet (downloaded by torchvision), "
        "random, or the path of a resnet18 state dict",
        modes=("train",),
    )
    normalize_input: bool = setting(
        True,
        "give the encoder inputs with ImageNet's mean and deviation; false for reference weights "
        "that were trained without",
        modes=_MODES,
    )


@dataclass(frozen=True, kw_only=True)
class Zhang2016Settings(ModelSettings):
    """Settings of zhang2016."""

    temperature: float = setting(
        0.38,
        "T of the annealed mean, in predict too: towards 1 the mean of the likely colours, duller; towards 0 "
        "the likeliest one, spottier",
        modes=_MODES,
        low=0.01,
        high=10,
    )
    # Not a flag: a file of weights holds its own bins; earlier versions have 262.
    num_bins: int = 313


@dataclass(frozen=True, kw_only=True)
class EncoderSettings(ModelSettings):
    """Settings of the models on a pretrained encoder."""

    encoder: str = setting(
        "tf_efficientnet_lite2",
        "a network of timm with feature maps at strides 4, 8, 16 and 32",
        modes=_MODES,
    )
    encoder_weights: str = setting(
        "imagenet",
        "where a new training takes its encoder from: imagenet (an installed package, else timm's hub), "
        "random, or the path of a state dict",
        modes=("train",),
    )


@dataclass(frozen=True, kw_only=True)
class UNetSettings(EncoderSettings):
    """Settings of unet."""

    frozen_stages: int = setting(
        4,
        "stages of the encoder, counted from the photo, that stay as they are; 4: all",
        modes=("train",),
        low=0,
        high=4,
    )
    encoder_lr: float = setting(
        0.1, "learning rate of the encoder over that of the rest", modes=("train",), above=0, high=1
    )
    encoder_scale: float = setting(
        1.0,
        "how many times as large the encoder sees the photo: small things are told apart, in more time",
        modes=_MODES,
        low=1,
        high=4,
    )
    heads: str = setting(
        "both",
        "what is trained: mean, the colours themselves, by --loss; bins, a distribution over bins of "
        "colour, by its own loss",
        modes=_MODES,
        choices=("mean", "bins", "both"),
    )
    vividness: float = setting(
        0.0,
        "in predict too: from 0, the best guess, to 1, colours as lively as those of true photos",
        modes=_MODES,
        low=0,
        high=2,
    )
    steadiness: float = setting(
        0.0,
        "weight of a term of the loss: how far the colours move on the things when the photo is moved by "
        "some pixels, which is seen as patches; every photo is then looked at twice",
        modes=("train",),
        low=0,
    )
    adversarial: float = setting(
        0.0,
        "weight of a term of the loss that a discriminator of patches gives; 0: there is none. For a short "
        "training on, from --init_weights",
        modes=("train",),
        low=0,
    )
    head_start: int = setting(
        300,
        "batches, or parts of them, that the discriminator learns from before its term counts",
        modes=("train",),
        low=0,
    )
    temperature: float = setting(
        1.0,
        "of the distribution over bins; towards 0 the likeliest colour, spottier",
        modes=_MODES,
        low=0.01,
        high=10,
    )


@dataclass(frozen=True, kw_only=True)
class Zhang2017Settings(ModelSettings):
    """Settings of zhang2017."""

    global_hints: bool = setting(
        False,
        "learn, and take from --reference, what the colours of a photo are like as a whole: their histogram "
        "and their saturation",
        modes=_MODES,
    )


@dataclass(frozen=True, kw_only=True)
class ColTran2021Settings(ModelSettings):
    """Settings of coltran2021."""

    temperature: float = setting(
        1.0,
        "of the distribution that --samples and --sample_seed draw from; towards 0 the likeliest colours",
        modes=_MODES,
        low=0.01,
        high=10,
    )


@dataclass(frozen=True, kw_only=True)
class Liu2023Settings(EncoderSettings):
    """Settings of liu2023."""

    sampler: str = setting(
        "dpm",
        "how --samples and --sample_seed get from noise to colours; dpm: DPM-Solver++ of order 2; ddim: DDIM",
        modes=_MODES,
        choices=("dpm", "ddim"),
    )
    steps: int = setting(
        8, "passes of the network for one drawing; more take longer", modes=_MODES, low=1, high=1000
    )
    guidance_scale: float = setting(
        2.0,
        "how far --prompt leads, times as far as the network has learnt: 1 as far as it has, 0 not at all",
        modes=_MODES,
        low=0,
        high=20,
    )
