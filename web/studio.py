"""What the page does with photos, without the page: look, show at any saturation, write in full.

All that is known of a photo are files in its folder, so that nothing of a person stays in memory.
"""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from checkpoint.file import LoadedModel, load_weights
from checkpoint.shipped import FOLDER
from config import Config
from core.errors import UserError
from inference.chroma import Chroma, apply_chroma, load_chroma, save_chroma, without_color
from inference.colorizer import Colorizer
from inference.guided import with_hints
from inference.hints import Hints
from media.encode import save_picture
from media.picture import Picture, from_array, from_image, load_picture
from web.files import doubt_layer, jpeg
from web.likely import likely_colors
from web.photo import Photo
from web.sessions import Gone

ENDINGS = (".png", ".tif", ".jpg", ".webp")
"""Formats of what is downloaded."""

_PREVIEW_SIDE = 1024
_SOLVED_PIXELS = 2**17
_KEPT_LOOKS = 24  # of each photo
_VIVIDNESSES = (0.0, 0.5, 1.0)


class Studio:
    """The weights that the page offers, loaded when first asked for, and what is done with them.

    Whatever is done with a photo raises `Gone` when it was deleted, and `UserError` when it cannot be read;
    the message calls it by its name.
    """

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
        self._loaded = {self.first: self._load(weights)}
        self._lock = threading.Lock()

    def models(self) -> dict[str, float | None]:
        """The names to choose from, and the vividness of each."""
        return {name: self.vividness(name) for name in self.choices}

    def vividness(self, model: str) -> float | None:
        """What a model takes where nobody says otherwise; None: it has no such setting."""
        return getattr(self._colorizer(model).model.settings, "vividness", None)

    def take(self, photo: Photo) -> tuple[int, int]:
        """Decode a photo, keep its size and its preview without colour, and return (width, height)."""
        original = self._open(photo)
        image = original.preview(_PREVIEW_SIDE)
        image.thumbnail((_PREVIEW_SIDE, _PREVIEW_SIDE))
        gray = without_color(from_array(np.asarray(image)))
        save_picture(photo.gray, gray, quality=self.config.quality)
        photo.keep_size(original.size)
        return original.size

    def known(self, photo: Photo, model: str, vividness: float) -> Chroma | None:
        """The colours that a model saw in a photo; None: it was not asked yet."""
        path = photo.look(self._about(model, vividness))
        return load_chroma(path) if path.exists() else None

    def look(self, photo: Photo, model: str, vividness: float) -> Chroma:
        """Ask a model for the colours of a photo, and keep them.

        Args:
            photo: what `take` took.
            model: a name of `choices`.
            vividness: of a model that has that setting; others leave it alone.
        Raises:
            UserError: also of a value out of range.
        """
        chroma = self._asked(model, vividness).infer(self._open(photo))
        save_chroma(photo.look(self._about(model, vividness)), chroma)
        for old in sorted(photo.looks.iterdir(), key=lambda path: path.stat().st_mtime)[:-_KEPT_LOOKS]:
            old.unlink(missing_ok=True)
        return chroma

    def preview(self, photo: Photo, chroma: Chroma, saturation: float, hints: Hints | None = None) -> bytes:
        """A small colored picture, a JPEG, without the network."""
        gray = _gray(photo)
        # Hints are solved for at a size that takes no second.
        image = Image.fromarray(gray.pixels)
        scale = min(1.0, math.sqrt(_SOLVED_PIXELS / math.prod(image.size)))
        small = from_image(image.resize([max(1, int(scale * side)) for side in image.size]), "preview")
        colored = self._color(gray, chroma, saturation, hints, small)
        return jpeg(colored.pixels, quality=self.config.quality)

    def likely(self, photo: Photo, place: tuple[float, float]) -> list[str]:
        """Colours to suggest at a place, by all models; see `likely_colors`.

        They look at the preview, and once: what they saw is kept.
        """
        gray, looks = _gray(photo), []
        for model, own in self.models().items():
            for vividness in _VIVIDNESSES if own is not None else (0.0,):
                path = photo.look(f"preview {self._about(model, vividness)}")
                if not path.exists():
                    save_chroma(path, self._asked(model, vividness).infer(gray))
                looks.append(load_chroma(path))
        return likely_colors(gray, looks, place)

    def doubt(self, photo: Photo, model: str, vividness: float) -> bytes:
        """A transparent PNG that lays magenta over what a model is unsure of."""
        sure = self._asked(model, vividness).confidence(_gray(photo))
        return doubt_layer(sure)

    def develop(
        self, photo: Photo, chroma: Chroma, saturation: float, ending: str, hints: Hints | None = None
    ) -> Path:
        """Write the colored photo at its own size and depth, with its metadata, and say where.

        Raises:
            UserError: also where the format cannot hold it.
        """
        original = self._open(photo)
        colored = self._color(original, chroma, saturation, hints, original)
        path = photo.full(ending)
        try:
            save_picture(path, colored, quality=self.config.quality)
        except UserError as error:
            raise _by_name(error, path) from error
        return path

    def _color(
        self, picture: Picture, chroma: Chroma, saturation: float, hints: Hints | None, solved: Picture
    ) -> Picture:
        """A photo in a model's colours and those of hints, which are spread at the size of `solved`."""
        if hints:
            # What a person gave is not to change with the saturation of the rest.
            model = replace(chroma, ab=saturation * chroma.ab, size=solved.size)
            chroma, saturation = with_hints(solved, hints, model), 1.0
        chroma = replace(chroma, size=picture.size)
        return apply_chroma(picture, chroma, upsample=self.config.upsample, saturation=saturation)

    def _asked(self, model: str, vividness: float) -> Colorizer:
        colorizer = self._colorizer(model)
        return colorizer if self.vividness(model) is None else colorizer.with_settings(vividness=vividness)

    def _about(self, model: str, vividness: float) -> str:
        return model if self.vividness(model) is None else f"{model} {vividness:g}"

    def _colorizer(self, model: str) -> Colorizer:
        with self._lock:
            if model not in self._loaded:
                if model not in self.choices:
                    raise UserError(f"there is no model {model}: choose one of {', '.join(self.choices)}")
                self._loaded[model] = self._load(load_weights(self.choices[model]))
            return self._loaded[model]

    def _load(self, weights: LoadedModel) -> Colorizer:
        config, given = self.config, self.config.given
        return Colorizer(
            weights,
            # Of each weights' own training, unless said otherwise.
            image_size=config.image_size if "image_size" in given else None,
            resize=config.resize if "resize" in given else None,
            render_size=config.render_size,
            views=config.views,
            upsample=config.upsample,
            device=config.device,
        )

    def _open(self, photo: Photo) -> Picture:
        path = photo.upload
        try:
            return load_picture(path, max_pixels=self.config.max_pixels)
        except UserError as error:
            raise _by_name(error, path) from error


def _gray(photo: Photo) -> Picture:
    try:
        with Image.open(photo.gray) as image:
            return from_image(image, photo.upload.name)
    except FileNotFoundError as error:
        raise Gone("this photo is here no more: drop it again") from error


def _by_name(error: UserError, path: Path) -> UserError:
    """The same error without the folders of this machine."""
    return UserError(str(error).replace(str(path), path.name))
