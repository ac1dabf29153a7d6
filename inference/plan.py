"""The plan for one photo: where its colours come from, and which files to write; checked before any work."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from checkpoint.file import LoadedModel
from config import Config
from core.errors import UserError
from core.settings import check_kind
from inference.colorizer import Colorizer
from inference.corrector import check_given
from inference.outputs import check_flags, check_places, output_of, targets_of
from inference.prompt import check_prompt
from inference.variants import check_variants, written
from inference.weights import choose_weights
from media.clip import is_clip
from media.decode import photo_format
from media.pages import Pages, find_pages
from models.registry import WITHOUT_WEIGHTS


@dataclass(frozen=True)
class Plan:
    """A plan that has been checked.

    Attributes:
        config: of the prediction, with what the weights say.
        photo: its file.
        pages: of that file.
        output: the picture to write; if there are several, their names are derived from it.
        loaded: the model; None: the colours come from --apply_chroma, or from what a person gives alone.
    """

    config: Config
    photo: Path
    pages: Pages
    output: Path
    loaded: LoadedModel | None

    @property
    def accepts(self) -> frozenset[str]:
        """Which guidance the model takes itself, names of fields of `Inputs`."""
        return self.loaded.model.accepts if self.loaded else frozenset()

    @property
    def targets(self) -> list[Path]:
        """The files of all pictures to write."""
        return _targets(self.config, self.output, self.pages)

    def colorizer(self, config: Config) -> Colorizer | None:
        """The model with the settings of a configuration, that of the plan or of a variant."""
        return Colorizer.from_config(config, self.loaded) if self.loaded else None


def plan_photo(config: Config, photo: Path) -> Plan:
    """Check a prediction of one photo, and load its weights.

    Raises:
        UserError: the file cannot be read, flags conflict with it or with each other, there are no weights,
            or a file to write exists or is one that is read.
    """
    check_kind(config, "photo", photo)
    if config.output_path:
        if is_clip(config.output_path):
            raise UserError(f"{photo} is a photo, and {config.output_path} would be a clip: name a picture")
        photo_format(config.output_path)
    pages = find_pages(photo, max_pixels=config.max_pixels)
    output = output_of(config, photo, pages)
    check_flags(config, photo, pages)
    check_places(config, photo, _targets(config, output, pages))
    if config.apply_chroma or config.model in WITHOUT_WEIGHTS:
        check_given(config)
        return Plan(config, photo, pages, output, None)
    loaded, config = choose_weights(config)
    check_given(config, loaded.model.accepts)
    check_variants(config, loaded, pages.num)
    check_prompt(config, loaded)
    return Plan(config, photo, pages, output, loaded)


def _targets(config: Config, output: Path, pages: Pages) -> list[Path]:
    return [target for path in written(config, output) for target in targets_of(path, pages)]
