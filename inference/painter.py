"""Photos as files: read, colored as a configuration says, looked at once more, and written."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from config import VERSION, Config
from inference.album import Album
from inference.blend import Blend
from inference.borders import find_photo, infer_within
from inference.chroma import Chroma, apply_chroma, without_color
from inference.colorizer import Colorizer
from inference.guided import Guide
from inference.negative import invert, looks_negative
from inference.own_color import own_colors
from inference.suspicion import suspicion
from media.decode import photo_format
from media.encode import save_animation, save_pages, save_picture
from media.pages import Pages, look_for_pages
from media.picture import Picture, beside, load_picture
from media.sidecar import copy_sidecar

log = logging.getLogger(__name__)

_GIVEN = (
    *("hints", "reference", "reference_dir", "matching", "upsample", "saturation", "quality"),
    *("keep_color", "mask", "blend", "invert"),
)


class Painter:
    """Colors photos with a model, and with what a person gives."""

    def __init__(
        self, config: Config, guide: Guide, colorizer: Colorizer | None = None, paths: Sequence[Path] = ()
    ) -> None:
        """
        Args:
            config: how to read, join and write.
            guide: what a person gives.
            colorizer: None: the colours come from `guide` alone.
            paths: of the photos that are colored, where they may be an album.
        Raises:
            UserError: --blend names no colours.
        """
        self.config, self.guide, self.colorizer = config, guide, colorizer
        self.blend = Blend.from_config(config)
        self.album = None
        if config.album and colorizer:
            self.album = Album(paths, self._within_borders, lambda path: load_original(config, path))
        self._warned: set[tuple[Path, str]] = set()

    @property
    def about(self) -> str:
        """The program, and the model or what stands for one."""
        return self.colorizer.about if self.colorizer else f"colorizer {VERSION}, {self.config.model}"

    def settings(self, *names: str) -> str:
        """JSON of all that pictures depend on besides the photo and the model: always, and of these flags."""
        own = {name: self.config.to_dict()[name] for name in (*_GIVEN, *names)}
        return json.dumps({**own, **(self.colorizer.settings if self.colorizer else {})}, sort_keys=True)

    def look(self, original: Picture) -> Chroma | None:
        """The colours of the model for a photo, or of both where two are blended, if there is one."""
        if self.colorizer is None:
            return None
        if self.config.hints:  # whose places are those of the whole picture
            chroma = self.guide.look(self.colorizer, original)
        else:
            chroma = self._within_borders(original)
        return self.blend(original, chroma) if self.blend else chroma

    def _within_borders(self, original: Picture) -> Chroma:
        colorizer, guide = self.colorizer, self.guide
        assert colorizer is not None
        return infer_within(original, find_photo(original), lambda photo: guide.look(colorizer, photo))

    def finish(self, original: Picture, chroma: Chroma, name: Path) -> tuple[Picture, str]:
        """The picture to write, and what is to be told of it, or ''; there is a line about it then."""
        config = self.config
        own = own_colors(original, config)
        colored = apply_chroma(
            original, chroma, upsample=config.upsample, saturation=self.guide.saturation, own=own
        )
        told = {}
        if own and own.reason and config.keep_color == "auto":
            told[own.reason] = f" {own.reason}; --keep_color=no colors them"
        if not config.invert and looks_negative(original):
            told["looks like a negative"] = " looks like a negative; --invert inverts it"
        to_color = 1.0 if own is None else 1 - own.share.mean() / 255
        if wrong := suspicion(colored, to_color * self.guide.saturation * chroma.ab):
            told[wrong] = f": what comes out is {wrong}; look at it"
        self._warn(name, told.values())
        return beside(without_color(original), colored) if config.side_by_side else colored, "; ".join(told)

    def _warn(self, name: Path, lines: Iterable[str]) -> None:
        """Once for all frames of an animation."""
        for line in lines:
            if (name, line) not in self._warned:
                self._warned.add((name, line))
                log.warning("%s%s", name, line)

    def color_file(self, path: Path, target: Path) -> str:
        """Color what is in a file, all its pages or frames; returns what looks wrong with it, or ''.

        Raises:
            UserError: it cannot be read, colored or written.
        """
        pages, quality = look_for_pages(path), self.config.quality
        warnings: dict[str, None] = {}
        pictures = self._color_pages(path, pages, warnings)
        if pages.is_animation:
            save_animation(target, pictures, pages.durations, pages.loops, quality=quality)
        elif pages.num > 1 and photo_format(target) == "TIFF":
            save_pages(target, pictures)
        else:
            for page_target, picture in zip(targets_of(target, pages), pictures, strict=True):
                save_picture(page_target, picture, quality=quality)
        copy_sidecar(path, target, self.about, overwrite=self.config.overwrite)
        return "; ".join(warnings)

    def _color_pages(self, path: Path, pages: Pages, warnings: dict[str, None]) -> Iterator[Picture]:
        """Each page when it is asked for; what looks wrong joins `warnings`."""
        for number in range(pages.num):
            original = load_original(self.config, path, page=number)
            chroma = self.look(original)
            if self.album and chroma:
                chroma = self.album.pulled(path, original, chroma)
            picture, warning = self.finish(original, self.guide(original, chroma), path)
            if warning:
                is_one = pages.num == 1 or pages.is_animation
                warnings[warning if is_one else f"picture {number + 1}: {warning}"] = None
            del original  # encoding takes memory of its own
            yield picture


def load_original(config: Config, path: Path, *, page: int = 0) -> Picture:
    """A photo from its file, inverted where --invert says so; see `load_picture`."""
    picture = load_picture(path, max_pixels=config.max_pixels, page=page)
    return invert(picture) if config.invert else picture


def targets_of(target: Path, pages: Pages) -> list[Path]:
    """The files that are written: one for each page where the format holds one picture."""
    if pages.num == 1 or pages.is_animation or photo_format(target) == "TIFF":
        return [target]
    digits = len(str(pages.num))
    numbers = range(1, pages.num + 1)
    return [target.with_name(f"{target.stem}_{number:0{digits}}{target.suffix}") for number in numbers]
