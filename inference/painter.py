"""Color photo files: read, color by a configuration, check the result, and write it with XMP sidecars."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from config import VERSION, Config
from core.remarks import keep, keeping_remarks, remark
from inference.album import Album
from inference.blend import Blend
from inference.chroma import Chroma, apply_chroma, load_chroma, save_chroma, without_color
from inference.colorizer import Colorizer
from inference.corrector import Corrector
from inference.descreen import descreened, is_bilevel, screen_period
from inference.model_view import lab_seen
from inference.negative import invert, looks_negative
from inference.outputs import targets_of
from inference.own_color import own_colors
from inference.suspicion import suspicion
from media.encode import save_animation, save_pages, save_picture
from media.pages import ONE, Pages, find_pages
from media.picture import Picture, beside, from_array, load_picture
from media.sidecar import copy_sidecar
from media.xmp import is_marked

_GIVEN = (
    *("hints", "reference", "reference_dir", "matching", "upsample", "saturation", "quality"),
    *("keep_color", "mask", "blend", "invert", "descreen"),
)


class Painter:
    """Colors photos by a model or by colours from a file, and by what a person gives."""

    def __init__(
        self,
        config: Config,
        corrector: Corrector,
        colorizer: Colorizer | None = None,
        paths: Sequence[Path] = (),
    ) -> None:
        """
        Args:
            config: how to read, color and write.
            corrector: hints and references that a person gives.
            colorizer: None: the colours come from --apply_chroma, or from `corrector` alone.
            paths: of all photos to color, for --album.
        Raises:
            UserError: --apply_chroma or --blend names no colours.
        """
        self.config, self.corrector, self.colorizer = config, corrector, colorizer
        self.kept = load_chroma(config.apply_chroma) if config.apply_chroma else None
        self.blend = Blend.from_config(config)
        self.album = None
        if config.album and colorizer:
            predict, read = partial(self._as_written, colorizer), partial(load_original, config)
            self.album = Album(paths, predict, read, max_pixels=config.max_pixels)

    @property
    def about(self) -> str:
        """The program, and the model or what stands for one."""
        if self.kept:
            return self.kept.by
        return self.colorizer.about if self.colorizer else f"colorizer {VERSION}, {self.config.model}"

    def settings(self, *names: str) -> str:
        """JSON of all settings that pictures depend on besides the model; `names` adds further flags."""
        own = {name: self.config.to_dict()[name] for name in (*_GIVEN, *names)}
        return json.dumps({**own, **(self.colorizer.settings if self.colorizer else {})}, sort_keys=True)

    def predict_chroma(self, original: Picture) -> Chroma | None:
        """The colours of the model or from a file, blended if --blend is given; None if there are none."""
        if self.kept:
            return self.blend(original, self.kept) if self.blend else self.kept
        return self._predict(self.colorizer, original) if self.colorizer else None

    def colors(self, original: Picture, photo: Path) -> Chroma:
        """The final colours of a photo; with --save_chroma and --save_confidence files are written too.

        Args:
            original: the photo.
            photo: its file.
        Raises:
            UserError: what a person gives does not fit the photo, or a place cannot be written.
        """
        chroma, config = self.predict_chroma(original), self.config
        if config.save_confidence:
            self._save_confidence(config.save_confidence, original, chroma)
        if self.album and chroma:
            chroma = self.album.pulled(photo, original, chroma)
        chroma = self.corrector(original, chroma, photo)
        if config.save_chroma:
            save_chroma(config.save_chroma, chroma, with_lightness=config.descreen)
            print(config.save_chroma)
        return chroma

    def finish(self, original: Picture, chroma: Chroma, photo: Path, written: Path | None = None) -> Picture:
        """The picture to write; a remark is made if it, or the photo, looks wrong.

        Args:
            original: the photo.
            chroma: its colours.
            photo: its file.
            written: the file of the picture, if several are made of the photo.
        """
        config = self.config
        own = own_colors(original, config, chroma.boxes)
        colored = apply_chroma(
            original,
            chroma,
            upsample=config.upsample,
            saturation=self.corrector.remaining_saturation,
            own=own,
        )
        remark_on(original, photo, len(chroma.boxes), config)
        if own and own.reason and config.keep_color == "auto":
            remark(f"{photo} {own.reason}; --keep_color=no colors them", own.reason)
        to_color = 1.0 if own is None else 1 - own.share.mean() / 255
        if wrong := suspicion(colored, to_color * self.corrector.remaining_saturation * chroma.ab):
            remark(f"{written or photo}: what comes out is {wrong}; look at it", wrong)
        return beside(without_color(original), colored) if config.side_by_side else colored

    def color_file(self, path: Path, target: Path) -> None:
        """Color a file with all its pages or frames.

        Raises:
            UserError: it cannot be read, colored or written.
        """
        pages = find_pages(path, max_pixels=self.config.max_pixels)
        self.write(path, targets_of(target, pages), self._color_pages(path, pages), pages)

    def write(
        self, photo: Path, targets: Sequence[Path], pictures: Iterable[Picture], pages: Pages = ONE
    ) -> None:
        """Write pictures, and copy the XMP sidecars of their photo for each.

        Args:
            photo: its file.
            targets: one for each picture, or one for all.
            pictures: each is taken when the one before it was written.
            pages: of the photo's file.
        Raises:
            UserError: a place cannot be written, or a sidecar cannot be read.
        """
        quality = self.config.quality
        inferred: list[bool] = []
        pictures = _noting(pictures, inferred)
        if pages.is_animation:
            save_animation(targets[0], pictures, pages.durations, pages.loops, quality=quality)
        elif pages.num > len(targets):
            save_pages(targets[0], pictures)
        else:
            for target, picture in zip(targets, pictures, strict=True):
                save_picture(target, picture, quality=quality)
        if len(targets) == 1:
            inferred = [any(inferred)]
        for target, is_inferred in zip(targets, inferred, strict=True):
            by = self.about if is_inferred else None
            copy_sidecar(photo, target, by, overwrite=self.config.overwrite)

    def _predict(self, colorizer: Colorizer, original: Picture) -> Chroma:
        if self.config.descreen:
            original = descreened(original) or original
        chroma = colorizer.predict_chroma(original, self.corrector.guidance(colorizer, original))
        return self.blend(original, chroma) if self.blend else chroma

    def _as_written(self, colorizer: Colorizer, original: Picture) -> Chroma:
        """The model's colours of a photo, and its own where it keeps them."""
        chroma = self._predict(colorizer, original)
        own, saturation = own_colors(original, self.config, chroma.boxes), self.config.saturation
        if own is None or not saturation:
            return chroma
        size = chroma.ab.shape[-1], chroma.ab.shape[-2]
        share = torch.from_numpy(own.at_size(size) / np.float32(255))
        # They are written as they are, and what others take of them is multiplied by the saturation.
        return replace(chroma, ab=torch.lerp(chroma.ab, lab_seen(original, size)[:, 1:] / saturation, share))

    def _color_pages(self, path: Path, pages: Pages) -> Iterator[Picture]:
        """Color the pages lazily, one after the other."""
        is_one = pages.num == 1 or pages.is_animation
        for number in range(pages.num):
            with keeping_remarks() as remarks:
                picture = self._color_page(path, number)
            for short in remarks.short:
                keep(short if is_one else f"picture {number + 1}: {short}")
            yield picture

    def _color_page(self, path: Path, number: int) -> Picture:
        original = load_original(self.config, path, page=number)
        return self.finish(original, self.colors(original, path), path)

    def _save_confidence(self, path: Path, original: Picture, chroma: Chroma | None) -> None:
        assert self.colorizer is not None  # by `check_flags`
        guidance = self.corrector.guidance(self.colorizer, original)
        sure = from_array(self.colorizer.confidence(original, chroma, guidance))
        save_picture(path, sure, quality=self.config.quality)
        print(path)


def _noting(pictures: Iterable[Picture], inferred: list[bool]) -> Iterator[Picture]:
    """Pass pictures on, and note of each whether its colours are inferred, not the photo's own."""
    for picture in pictures:
        inferred.append(is_marked(picture.metadata.xmp))
        yield picture


def remark_on(original: Picture, name: Path | str, num_boxes: int, config: Config) -> None:
    """Report what is unusual about a photo: several photos on it, 1 bit, or a negative.

    Args:
        original: the photo.
        name: what messages call it.
        num_boxes: number of photos found in it.
        config: --page, --descreen and --invert are used.
    """
    if num_boxes > 1:
        found = f"{num_boxes} photos found on the page"
        remark(f"{name}: {found}; --page=photo colors it as one", found)
    elif num_boxes and config.page == "album":
        found = "no page of several photos was found"
        remark(f"{name}: {found}: it is colored as one photo", found)
    if original.is_one_bit and not config.descreen:
        told = "is a 1-bit scan: its black and white take no colour"
        remark(f"{name} {told}; --descreen makes grays", told)
    if not config.invert and looks_negative(original):
        remark(f"{name} looks like a negative; --invert inverts it", "looks like a negative")


def load_original(config: Config, path: Path, *, page: int = 0) -> Picture:
    """Read a photo; with --invert it is inverted, with --descreen a 1-bit scan is made gray."""
    picture = load_picture(path, max_pixels=config.max_pixels, page=page)
    if config.invert:
        picture = invert(picture)
    if config.descreen and is_bilevel(picture):  # black and white pixels take no colour
        return descreened(picture) or picture
    if config.descreen and screen_period(picture) is None:
        told = "no screen was found, and it is colored as it is"
        remark(f"{path}: {told}", told)
    return picture
