"""What the page does with photos, without the page: look once, show at any saturation, write in full."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from checkpoint.file import LoadedModel, load_weights
from checkpoint.shipped import FOLDER
from config import Config
from core.errors import UserError
from inference.chroma import Chroma, apply_chroma, without_color
from inference.colorizer import Colorizer
from media.encode import save_picture
from media.picture import Picture, from_array, from_image, load_picture

ENDINGS = (".png", ".tif", ".jpg", ".webp")
"""Formats of what is downloaded."""

_PREVIEW_SIDE = 1024
_CONFIDENCE_SIDE = 256
_KEPT_PREVIEWS = 4  # a browser may still be loading the one before
# Magenta, which photos seldom have.
_UNSURE_COLOR = np.array((255, 0, 200), np.float32)
_UNSURE_SHARE = 0.85


@dataclass(frozen=True)
class Photo:
    """A photo of a session. In memory stays what the model said; the rest are files of the session.

    Attributes:
        path: as it was uploaded.
        gray: its preview without colour, a PNG.
        chroma: its colours as the model sees them.
        confidence: (h, w) uint8, small; 255 is sure.
        vividness: with which the model was asked; None: it has no such setting.
    """

    path: Path
    gray: Path
    chroma: Chroma
    confidence: np.ndarray
    vividness: float | None

    @property
    def name(self) -> str:
        """As a person knows it."""
        return self.path.name


class Studio:
    """The weights that the page offers, loaded when first asked for, and what is done with them."""

    def __init__(self, config: Config, weights: LoadedModel) -> None:
        """
        Args:
            config: image_size, resize and the settings of prediction.
            weights: those that the page begins with; the ones that ship stand beside them.
        """
        self.config = config
        self.choices = {path.stem: path for path in sorted(FOLDER.glob("*.safetensors"))}
        path = weights.path.resolve()
        self.first = path.stem if path in self.choices.values() else f"{path.stem} ({weights.name})"
        self.choices[self.first] = path
        self._loaded = {self.first: Colorizer.from_config(config, weights)}
        self._lock = threading.Lock()

    def vividness(self, model: str) -> float | None:
        """What a model takes where nobody says otherwise; None: it has no such setting."""
        return getattr(self._colorizer(model).model.settings, "vividness", None)

    def look(self, upload: Path, model: str, vividness: float) -> Photo:
        """Decode a photo and ask a model for its colours and its confidence.

        Args:
            upload: in a folder of its own, in which it is to stay.
            model: a name of `choices`.
            vividness: of a model that has that setting; others leave it alone.
        Raises:
            UserError: the photo cannot be read; the message calls it by its name. Or a value out of range.
        """
        colorizer = self._colorizer(model)
        has_vividness = self.vividness(model) is not None
        if has_vividness:
            colorizer = colorizer.with_settings(vividness=vividness)
        original = self._open(upload)
        image = original.preview(_PREVIEW_SIDE)
        image.thumbnail((_PREVIEW_SIDE, _PREVIEW_SIDE))
        preview = from_array(np.asarray(image))
        gray = _beside(upload, "shown") / "gray.png"
        save_picture(gray, without_color(preview), quality=self.config.quality)
        sure = Image.fromarray(colorizer.confidence(preview))
        sure.thumbnail((_CONFIDENCE_SIDE, _CONFIDENCE_SIDE))
        chroma = colorizer.infer(original)
        return Photo(upload, gray, chroma, np.asarray(sure), vividness if has_vividness else None)

    def preview(self, photo: Photo, saturation: float, *, overlay: bool) -> Path:
        """Write a small colored picture, without the network.

        Args:
            photo: what `look` returned.
            saturation: factor of the chroma.
            overlay: tint what the model is unsure of.
        Raises:
            UserError: the photo is deleted.
        """
        try:
            with Image.open(photo.gray) as image:
                gray = from_image(image, photo.name)
        except OSError as error:
            raise UserError(f"{photo.name} is here no more: drop it again") from error
        chroma = replace(photo.chroma, size=gray.size)
        pixels = apply_chroma(gray, chroma, upsample=self.config.upsample, saturation=saturation).pixels
        if overlay:
            sure = np.asarray(Image.fromarray(photo.confidence).resize(gray.size)).astype(np.float32) / 255
            share = _UNSURE_SHARE * (1 - sure)[..., None]
            pixels = (pixels * (1 - share) + _UNSURE_COLOR * share).round().astype(np.uint8)
        earlier = sorted(photo.gray.parent.glob("color-*.jpg"), key=lambda path: path.stat().st_mtime)
        for path in earlier[: 1 - _KEPT_PREVIEWS]:
            path.unlink(missing_ok=True)
        # Named after what it shows: a browser need not load it twice, and never shows another.
        about = f"{photo.chroma.by} {photo.vividness} {saturation} {overlay}".encode()
        path = photo.gray.parent / f"color-{hashlib.sha256(about).hexdigest()[:16]}.jpg"
        save_picture(path, from_array(pixels), quality=self.config.quality)
        return path

    def develop(self, photo: Photo, saturation: float, ending: str) -> Path:
        """Write the colored photo at its own size and depth, with its metadata, and say where.

        Raises:
            UserError: the photo is deleted, or the format cannot hold it.
        """
        original = self._open(photo.path)
        colored = apply_chroma(original, photo.chroma, upsample=self.config.upsample, saturation=saturation)
        path = _beside(photo.path, "full") / f"{photo.path.stem}_colorized{ending}"
        try:
            save_picture(path, colored, quality=self.config.quality)
        except UserError as error:
            raise _by_name(error, path) from error
        return path

    def _colorizer(self, model: str) -> Colorizer:
        with self._lock:
            if model not in self._loaded:
                self._loaded[model] = Colorizer.from_config(self.config, load_weights(self.choices[model]))
            return self._loaded[model]

    def _open(self, path: Path) -> Picture:
        try:
            return load_picture(path, max_pixels=self.config.max_pixels)
        except UserError as error:
            raise _by_name(error, path) from error


def pack(pictures: Sequence[Path], path: Path) -> Path:
    """Put pictures into a zip file, not compressed again, under names of their own."""
    taken: set[str] = set()
    with zipfile.ZipFile(path, "w") as archive:
        for picture in pictures:
            name, number = picture.name, 1
            while name.lower() in taken:
                number += 1
                name = f"{picture.stem} ({number}){picture.suffix}"
            taken.add(name.lower())
            archive.write(picture, name)
    return path


def _beside(upload: Path, what: str) -> Path:
    """A folder for what is made of an upload; in the upload's own, names might meet."""
    return upload.parent.with_name(f"{what}-{upload.parent.name}")


def _by_name(error: UserError, path: Path) -> UserError:
    """The same error without the folders of this machine."""
    return UserError(str(error).replace(str(path), path.name))
