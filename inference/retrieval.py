"""Retrieval of references: the photo of a folder that is most similar to another in what it shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from core.errors import UserError
from data.color import gray_to_rgb
from data.listing import find_photos
from inference.model_view import lightness_seen
from media.decode import PhotoError, is_gray
from media.photo import load_photo
from media.picture import Picture, from_image
from models.timm_encoder import TimmEncoder

_SIDE = 224  # side in pixels of the square in which photos are compared


class Gallery:
    """A folder of colour photos, indexed by an encoder's features of their lightness.

    Attributes:
        paths: of the photos, without gray and unreadable ones.
    """

    def __init__(self, folder: Path, encoder: TimmEncoder, *, max_pixels: int) -> None:
        """
        Args:
            folder: is searched together with the folders below it.
            encoder: gives the features.
            max_pixels: larger photos are left out.
        Raises:
            UserError: there is no readable colour photo.
        """
        self._encoder = encoder
        found = [
            (path, self._describe(from_image(photo, str(path))))
            for path, photo in _colour_photos(folder, max_pixels)
        ]
        if not found:
            raise UserError(f"--reference_dir={folder} holds no colour photo that can be read: name another")
        self.paths = [path for path, _ in found]
        self._described = torch.cat([described for _, described in found])

    def nearest(self, photo: Picture) -> Path:
        """The photo whose features have the largest cosine with those of this one."""
        return self.paths[int((self._described @ self._describe(photo).T).argmax())]

    @torch.inference_mode()
    def _describe(self, photo: Picture) -> Tensor:
        """(1, C) of length 1: the mean of the last feature map."""
        L = lightness_seen(photo, (_SIDE, _SIDE))
        return F.normalize(self._encoder(gray_to_rgb(L))[-1].mean(dim=(2, 3)))


def _colour_photos(folder: Path, max_pixels: int) -> Iterator[tuple[Path, Image.Image]]:
    for path in find_photos(folder, recursive=True):
        try:
            photo = load_photo(path, max_pixels=max_pixels)
        except PhotoError:
            continue
        if not is_gray(photo):
            yield path, photo
