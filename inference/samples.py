"""Several colourings of one photo, each drawn by a seed of its own: which, and where they go."""

from __future__ import annotations

from pathlib import Path

from checkpoint.file import LoadedModel
from config import Config
from core.errors import UserError


def check_samples(config: Config, weights: LoadedModel, num_pages: int = 1) -> None:
    """
    Raises:
        UserError: --samples or --sample_seed with a model that draws nothing, or that cannot draw here, or
            with a flag at odds with it.
    """
    if config.samples is None and config.sample_seed is None:
        return
    flag = "--sample_seed" if config.samples is None else "--samples"
    if not weights.model.is_random:
        raise UserError(
            f"{flag}: {weights.name} draws nothing, its colours are always the same: leave it out"
        )
    weights.model.check_drawing()
    if num_pages > 1:
        raise UserError(f"{flag} is for one picture, and {config.image_path} holds {num_pages}: leave it out")
    if config.views > 1:
        raise UserError(f"{flag}: a mean over views is none of the drawn colours: leave --views out")
    for other in ("save_chroma", "save_confidence"):
        if config.samples is not None and getattr(config, other) is not None:
            raise UserError(f"--samples gives a photo several colours: leave --{other} out")


def seeds(config: Config) -> range:
    """Of --samples, from --sample_seed on."""
    first = config.sample_seed or 0
    return range(first, first + (config.samples or 0))


def written(config: Config, output: Path) -> list[Path]:
    """The pictures that a prediction of one photo writes: `output`, or one for each seed and then a sheet."""
    if not config.samples:
        return [output]
    names = [*map(str, seeds(config)), "samples"]
    return [output.with_name(f"{output.stem}_{name}{output.suffix}") for name in names]
