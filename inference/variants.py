"""Several colourings of one photo, by seeds or by render sizes, and their files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from checkpoint.file import LoadedModel
from config import Config
from core.errors import UserError


@dataclass(frozen=True)
class Variant:
    """One of the colourings.

    Attributes:
        name: suffix of its file name.
        title: its title in the contact sheet.
        config: the configuration that gives this colouring alone.
    """

    name: str
    title: str
    config: Config


def variants(config: Config) -> list[Variant]:
    """One for each of --samples from --sample_seed on, or for each of several in --render_size."""
    if config.samples:
        first = config.sample_seed or 0
        return [
            Variant(str(seed), f"seed {seed}", config.replace(samples=None, sample_seed=seed))
            for seed in range(first, first + config.samples)
        ]
    return [
        Variant(f"{size}px", f"{size} px", config.replace(render_size=size)) for size in config.render_sizes
    ]


def check_variants(config: Config, loaded: LoadedModel, num_pages: int = 1) -> None:
    """
    Raises:
        UserError: --samples or --sample_seed with a model that does not draw at random, or that cannot here
            because a package is missing; or several colourings with a flag or file that excludes them.
    """
    if config.samples is not None or config.sample_seed is not None:
        _check_draws(config, loaded, num_pages)
    if not variants(config):
        return
    if config.samples and config.render_sizes:
        raise UserError(f"--samples takes one size, not --render_size={config.render_size}: name one")
    flag = "--samples" if config.samples else f"--render_size={config.render_size}"
    if num_pages > 1:
        raise UserError(f"{flag} is for one picture, and {config.image_path} holds {num_pages}: leave it out")
    for other in ("save_chroma", "save_confidence"):
        if getattr(config, other) is not None:
            raise UserError(f"{flag} gives a photo several colours: leave --{other} out")


def check_one_size(config: Config, kind: str, path: Path) -> None:
    """
    Raises:
        UserError: --render_size has several sizes, and the file is not a photo.
    """
    if config.render_sizes:
        sizes = f"--render_size={config.render_size}"
        raise UserError(f"{sizes}: several are for one photo, and {path} is a {kind}: name one")


def _check_draws(config: Config, loaded: LoadedModel, num_pages: int) -> None:
    flag = "--sample_seed" if config.samples is None else "--samples"
    if not loaded.model.is_random:
        raise UserError(f"{flag}: {loaded.name} draws nothing, its colours are always the same: leave it out")
    loaded.model.check_drawing()
    if num_pages > 1:
        raise UserError(f"{flag} is for one picture, and {config.image_path} holds {num_pages}: leave it out")
    if config.views > 1:
        raise UserError(f"{flag}: a mean over views is none of the drawn colours: leave --views out")


def written(config: Config, output: Path) -> list[Path]:
    """The files that a prediction of one photo writes: `output`, or one per variant and a contact sheet."""
    names = [variant.name for variant in variants(config)]
    if not names:
        return [output]
    names.append("samples" if config.samples else "sizes")
    return [output.with_name(f"{output.stem}_{name}{output.suffix}") for name in names]
