"""Photos as files: read, colored as a configuration says, looked at once more, and written."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from config import VERSION, Config
from inference.chroma import Chroma, apply_chroma, without_color
from inference.colorizer import Colorizer
from inference.guided import Guide
from inference.suspicion import suspicion
from media.encode import save_picture
from media.picture import Picture, beside, load_picture

log = logging.getLogger(__name__)

_GIVEN = ("hints", "reference", "reference_dir", "matching", "upsample", "saturation", "quality")


class Painter:
    """Colors photos with a model, and with what a person gives."""

    def __init__(self, config: Config, guide: Guide, colorizer: Colorizer | None = None) -> None:
        """
        Args:
            config: how to read, join and write.
            guide: what a person gives.
            colorizer: None: the colours come from `guide` alone.
        """
        self.config, self.guide, self.colorizer = config, guide, colorizer

    @property
    def about(self) -> str:
        """The program, and the model or what stands for one."""
        return self.colorizer.about if self.colorizer else f"colorizer {VERSION}, {self.config.model}"

    def settings(self, *names: str) -> str:
        """JSON of all that pictures depend on besides the photo and the model: always, and of these flags."""
        own = {name: self.config.to_dict()[name] for name in (*_GIVEN, *names)}
        return json.dumps({**own, **(self.colorizer.settings if self.colorizer else {})}, sort_keys=True)

    def look(self, original: Picture) -> Chroma | None:
        """The model's colours for a photo, if there is one."""
        return None if self.colorizer is None else self.guide.look(self.colorizer, original)

    def finish(self, original: Picture, chroma: Chroma, name: Path) -> tuple[Picture, str]:
        """The picture to write, and what looks wrong with it, or ''; there is a line about it then."""
        config = self.config
        colored = apply_chroma(original, chroma, upsample=config.upsample, saturation=config.saturation)
        warning = suspicion(colored, config.saturation * chroma.ab)
        if warning:
            log.warning("%s: what comes out is %s; look at it", name, warning)
        return beside(without_color(original), colored) if config.side_by_side else colored, warning

    def color_file(self, path: Path, target: Path) -> str:
        """Color a photo from file to file; returns what looks wrong with the picture, or ''.

        Raises:
            UserError: it cannot be read, colored or written.
        """
        original = load_picture(path, max_pixels=self.config.max_pixels)
        colored, warning = self.finish(original, self.guide(original, self.look(original)), path)
        save_picture(target, colored, quality=self.config.quality)
        return warning
