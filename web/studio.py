"""Color photos for the page, independent of HTTP: predict, preview, write at full size.

The state of a photo is stored in files of its folder; nothing of a session is kept in memory.
"""

from __future__ import annotations

import copy
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from checkpoint.file import LoadedModel, load_weights
from checkpoint.shipped import FOLDER
from config import Config
from core.errors import UserError
from core.remarks import keep, keeping_remarks
from inference.borders import boxes_to_show
from inference.chroma import Chroma, apply_chroma, load_chroma, save_chroma, without_color
from inference.colorizer import Colorizer
from inference.corrector import Scribbler, with_hints
from inference.hints import Hints
from inference.own_color import find_own
from inference.painter import remark_on
from inference.suspicion import suspicion
from media.encode import save_picture
from media.pages import find_pages
from media.picture import Picture, from_array, from_image, load_picture
from web.files import doubt_layer, jpeg
from web.guiding import (
    guidance_hashes,
    guidance_of,
    hints_of,
    keep_reference,
    read_reference,
    remove_reference,
)
from web.likely import likely_colors
from web.matching import full_scribbler, match, preview_scribbler, small_enough
from web.sessions import Gone
from web.upload import GONE, Upload
from web.wish import Wish

ENDINGS = (".png", ".tif", ".jpg", ".webp")
"""File name endings of the download formats."""

_PREVIEW_SIDE = 1024
_KEPT_CHROMA = 24  # cached predictions per photo
_VIVIDNESSES = (0.0, 0.5, 1.0)


class Studio:
    """The models that the page offers, loaded on first use, and the operations on photos.

    Operations on a photo raise `Gone` if it was deleted, and `UserError` if it cannot be read; messages
    contain its file name without the path.
    """

    def __init__(self, config: Config, loaded: LoadedModel) -> None:
        """
        Args:
            config: image_size, resize and the settings of prediction.
            loaded: the model selected at first; the shipped ones are offered too.
        """
        self.config = config
        self.choices = {path.stem: path for path in sorted(FOLDER.glob("*.safetensors"))}
        path = loaded.path.resolve()
        self.first = path.stem if path in self.choices.values() else f"{path.stem} ({loaded.name})"
        self.choices[self.first] = path
        self._loaded = {self.first: Colorizer.from_config(config, loaded)}
        self._lock = threading.Lock()

    def models(self) -> dict[str, float | None]:
        """Name -> default vividness of each model on offer, see `vividness`."""
        return {name: self.vividness(name) for name in self.choices}

    def vividness(self, model: str) -> float | None:
        """A model's default vividness, the slider's initial value; None: it has no such setting."""
        return getattr(self._colorizer(model).model.settings, "vividness", None)

    def draws(self, model: str) -> bool:
        """Whether a model draws its colours at random, so that they depend on the seed."""
        return self._colorizer(model).model.is_random

    def take(self, photo: Upload) -> list[str]:
        """Decode a photo, store its size and gray preview; returns remarks on what is unusual about it."""
        with keeping_remarks(is_quiet=True) as remarks:
            original = self._open(photo)
            self._remark_on(original, photo.file)
        image = original.preview(_PREVIEW_SIDE)
        image.thumbnail((_PREVIEW_SIDE, _PREVIEW_SIDE))
        gray = without_color(from_array(np.asarray(image)))
        save_picture(photo.gray, gray, quality=self.config.quality)
        photo.keep_size(original.size)
        return list(remarks.short)

    def _remark_on(self, original: Picture, path: Path) -> None:
        remark_on(original, path.name, len(boxes_to_show(original, self.config.page)), self.config)
        if (num := find_pages(path, max_pixels=self.config.max_pixels).num) > 1:
            keep(f"holds {num} pictures: the first is colored here")
        if find_own(original):
            keep("has colours of its own, in whose place others come here")
        if wrong := suspicion(original, torch.zeros(1, 2, 1, 1)):
            keep(f"is {wrong}")

    def known(self, photo: Upload, wish: Wish) -> Chroma | None:
        """Load cached colours; None: they were not predicted yet."""
        path = self._chroma_path(photo, wish)
        return load_chroma(path) if path.exists() else None

    def predict_chroma(self, photo: Upload, wish: Wish) -> Chroma:
        """Predict the colours of a photo, and cache them.

        Hints and reference of the photo are passed to a model that accepts them as inputs.

        Raises:
            UserError: also if a value is out of range.
        """
        colorizer, path = self._asked(wish), self._chroma_path(photo, wish)
        accepts = frozenset() if wish.is_plain else colorizer.model.accepts
        guidance = guidance_of(photo, accepts, max_pixels=self.config.max_pixels)
        if wish.seed is not None and colorizer.model.is_random:
            colorizer.model.check_drawing()
            guidance = replace(guidance, seed=wish.seed)
        chroma = colorizer.predict_chroma(self._open(photo), guidance)
        if path == self._chroma_path(photo, wish):  # else what is given for the photo has changed meanwhile
            save_chroma(path, chroma)
            kept = sorted(photo.chroma_folder.iterdir(), key=lambda path: path.stat().st_mtime)
            for old in kept[:-_KEPT_CHROMA]:
                old.unlink(missing_ok=True)
        return replace(chroma, L=None)  # as loaded from the cache, so that previews do not differ

    def preview(self, photo: Upload, chroma: Chroma, wish: Wish) -> bytes:
        """Render the colored preview, a JPEG, from predicted colours, without running the network."""
        gray = _gray(photo)
        scribbler = None if self._takes_references(wish) else preview_scribbler(photo)
        colored = self._color(gray, chroma, wish, hints_of(photo), scribbler, small_enough(gray))
        return jpeg(colored.pixels, quality=self.config.quality)

    def refer(self, photo: Upload, upload: Path) -> None:
        """Match and store another photo as the reference; an empty file removes the reference.

        Raises:
            UserError: it cannot be read; the previous reference is kept.
        """
        if not upload.stat().st_size:
            remove_reference(photo)
            return
        reference = read_reference(upload, max_pixels=self.config.max_pixels)
        keep_reference(photo, upload, match(reference, small_enough(_gray(photo))))

    def likely(self, photo: Upload, place: tuple[float, float]) -> list[str]:
        """Suggest colours for a place by all models; see `likely_colors`.

        They predict from the preview; the predictions are cached.
        """
        gray, predicted = _gray(photo), []
        for model, own in self.models().items():
            for vividness in _VIVIDNESSES if own is not None else (0.0,):
                wish = Wish(model, vividness)
                path = photo.chroma_path(f"preview {self._about(wish)}")
                if not path.exists():
                    save_chroma(path, self._asked(wish).predict_chroma(gray))
                predicted.append(load_chroma(path))
        return likely_colors(gray, predicted, place)

    def doubt(self, photo: Upload, wish: Wish) -> bytes:
        """Encode the areas in which a model is unsure, see `doubt_layer`."""
        return doubt_layer(self._asked(wish).confidence(_gray(photo)))

    def develop(self, photo: Upload, chroma: Chroma, wish: Wish, ending: str) -> Path:
        """Write the colored photo at its original size and bit depth, with its metadata; returns the path.

        Raises:
            UserError: also if the format cannot hold the picture.
        """
        original, limit = self._open(photo), self.config.max_pixels
        scribbler = None if self._takes_references(wish) else full_scribbler(photo, max_pixels=limit)
        colored = self._color(original, chroma, wish, hints_of(photo), scribbler, original)
        path = photo.full(ending)
        try:
            save_picture(path, colored, quality=self.config.quality)
        except UserError as error:
            raise by_name(error, path) from error
        return path

    def colorizer(self, wish: Wish) -> Colorizer:
        """A colorizer with the requested model and settings, without hints or reference."""
        colorizer = copy.copy(self._asked(wish))
        colorizer.saturation = wish.saturation
        return colorizer

    def _color(
        self,
        picture: Picture,
        chroma: Chroma,
        wish: Wish,
        hints: Hints,
        scribbler: Scribbler | None,
        solved: Picture,
    ) -> Picture:
        """Color a photo by a model's colours, corrected by hints and a reference.

        Args:
            picture: to color.
            chroma: of the model.
            wish: `saturation` and `is_plain` are used.
            hints, scribbler: the corrections; `scribbler` provides those of the reference.
            solved: the same photo at the size at which corrections are propagated.
        """
        saturation = wish.saturation
        if not wish.is_plain and (hints or scribbler):
            # Saturation applies to the model's colours only, not to those that a person gave.
            model = replace(chroma, ab=saturation * chroma.ab).resized(solved.size)
            chroma, saturation = with_hints(solved, model, hints=hints, scribbler=scribbler), 1.0
        return apply_chroma(
            picture, chroma.resized(picture.size), upsample=self.config.upsample, saturation=saturation
        )

    def _takes_references(self, wish: Wish) -> bool:
        """Whether a model accepts a reference as input; for others its colours are matched, see `refer`."""
        return "reference" in self._colorizer(wish.model).model.accepts

    def _asked(self, wish: Wish) -> Colorizer:
        colorizer = self._colorizer(wish.model)
        if self.vividness(wish.model) is None:
            return colorizer
        return colorizer.with_settings(vividness=wish.vividness)

    def _about(self, wish: Wish) -> str:
        said = [wish.model]
        if self.vividness(wish.model) is not None:
            said.append(f"{wish.vividness:g}")
        if wish.seed is not None and self.draws(wish.model):
            said.append(f"seed {wish.seed}")
        return " ".join(said)

    def _chroma_path(self, photo: Upload, wish: Wish) -> Path:
        accepts = self._colorizer(wish.model).model.accepts
        said = "" if wish.is_plain else guidance_hashes(photo, accepts)
        return photo.chroma_path(f"{self._about(wish)} {said}")

    def _colorizer(self, model: str) -> Colorizer:
        with self._lock:
            if model not in self._loaded:
                if model not in self.choices:
                    raise UserError(f"there is no model {model}: choose one of {', '.join(self.choices)}")
                self._loaded[model] = Colorizer.from_config(self.config, load_weights(self.choices[model]))
            return self._loaded[model]

    def _open(self, photo: Upload) -> Picture:
        path = photo.file
        try:
            return load_picture(path, max_pixels=self.config.max_pixels)
        except UserError as error:
            raise by_name(error, path) from error


def _gray(photo: Upload) -> Picture:
    try:
        with Image.open(photo.gray) as image:
            return from_image(image, photo.file.name)
    except FileNotFoundError as error:
        raise Gone(GONE) from error


def by_name(error: UserError, path: Path) -> UserError:
    """Copy an error with the file name in place of its path on this machine."""
    return UserError(str(error).replace(str(path), path.name))
