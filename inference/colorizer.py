"""The library entry: load a model once, color photos of any size many times."""

from __future__ import annotations

import copy
import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast, overload

import numpy as np
import torch
from PIL import Image

from checkpoint.file import LoadedModel, load_weights
from checkpoint.shipped import DEFAULT, find_weights
from config import VERSION, Config
from core.device import find_device, find_precision
from core.errors import UserError
from core.files import sha256
from inference.borders import boxes_to_show, predict_within
from inference.chroma import Chroma, apply_chroma
from inference.fold import fold_batch_norms
from inference.guidance import NOTHING, Guidance
from inference.predictor import Predictor
from media.anything import PhotoLike, SeveralPhotos, several, to_picture
from media.picture import Picture, load_picture
from models.base import ColorizationModel

log = logging.getLogger(__name__)


class Colorizer:
    """A trained model that colors photos at their own resolution, keeping their lightness."""

    def __init__(
        self,
        loaded: LoadedModel,
        *,
        image_size: int | None = None,
        resize: str | None = None,
        render_size: str | None = None,
        views: int = Config.views,
        upsample: str = Config.upsample,
        saturation: float = Config.saturation,
        page: str = Config.page,
        device: str = "auto",
    ) -> None:
        """
        Args:
            loaded: a model and what its file says of it; made ready to predict, it cannot be trained on.
            image_size, resize: how the model sees a photo; None: as the weights say, else by the
                defaults of the configuration.
            render_size: side at which the model sees photos instead of `image_size`; 'auto' compares several.
            views: of each photo, whose colours are averaged; see `mean_over_views`.
            upsample: how its colours get to the photo's own size, a name of `UPSAMPLERS`.
            saturation: factor of the predicted chroma.
            page: whether a scan may hold several photos: 'auto', 'album' or 'photo', as of --page.
            device: 'auto', 'cpu', 'cuda' or 'mps'.
        Raises:
            UserError: the device is not there.
        """
        self.loaded = loaded
        self.device = find_device(device)
        self.model: ColorizationModel = loaded.model.to(self.device).eval()
        if not self.model.is_random:  # whose drawings follow every rounding
            fold_batch_norms(self.model, torch.full((1, 1, 1, 1), 50.0, device=self.device))
        # Convolutions of one picture are faster so, in bfloat16 on a CPU above all.
        self.model.to(memory_format=torch.channels_last)
        self.predictor = Predictor(
            self.model,
            self.device,
            image_size=image_size or loaded.info.get("image_size", Config.image_size),
            resize=resize or loaded.info.get("resize", Config.resize),
            render_size=render_size,
            views=views,
        )
        self.upsample, self.saturation, self.page = upsample, saturation, page
        self.guidance = NOTHING
        self.reference_sha256: str | None = None

    @classmethod
    def from_config(cls, config: Config, loaded: LoadedModel) -> Colorizer:
        """A model that sees photos as it was trained to, unless flags say otherwise.

        A --reference that it cannot take itself is left to `inference.corrector`.

        Raises:
            UserError: the device is not there, or --reference cannot be read.
        """
        seen = {name: getattr(config, name) for name in ("image_size", "resize") if name in config.given}
        names = ("render_size", "views", "upsample", "saturation", "page", "device")
        colorizer = cls(loaded, **seen, **{name: getattr(config, name) for name in names})
        prompt = config.prompt if "prompt" in loaded.model.accepts else None
        colorizer.guidance = Guidance(seed=config.sample_seed, prompt=prompt)
        if config.reference and "reference" in loaded.model.accepts:
            reference = load_picture(config.reference, max_pixels=config.max_pixels)
            colorizer.guidance = dataclasses.replace(colorizer.guidance, reference=reference)
            colorizer.reference_sha256 = sha256(config.reference)
        return colorizer

    @classmethod
    def load(cls, weights: str | Path = DEFAULT, **options: Any) -> Colorizer:
        """Load weights that ship, by the name of their file in weights/ without its ending, or any file.

        Args:
            weights: name or file.
            options: the keywords of the constructor.

        Raises:
            UserError: there is no such file, or it is unreadable.
        """
        path = find_weights(Path(weights), None, "")
        return cls(load_weights(path), **options)

    def with_settings(self, **changes: Any) -> Colorizer:
        """The same network with other settings of its model, such as `vividness`; nothing is loaded again.

        Raises:
            UserError: a value out of range.
        """
        other = copy.copy(self)
        other.model = copy.copy(self.model)  # a module's shallow copy shares its parameters
        other.model.settings = dataclasses.replace(self.model.settings, **changes)
        other.predictor = dataclasses.replace(self.predictor, model=other.model)
        return other

    @overload
    def __call__(self, photo: SeveralPhotos, *, max_pixels: int = ...) -> list[np.ndarray]: ...

    @overload
    def __call__(self, photo: PhotoLike, *, max_pixels: int = ...) -> Any: ...

    def __call__(
        self, photo: PhotoLike | SeveralPhotos, *, max_pixels: int = Config.max_pixels
    ) -> np.ndarray | list[np.ndarray]:
        """Color a photo, or several, one after the other.

        Args:
            photo: a path, the bytes of a file, an open file, a Pillow image, an array or a tensor, as
                `media.anything.to_picture` takes them; a list or tuple of these, or a batch (N, C, H, W), a
                tensor. Of its colours only the lightness is looked at.
            max_pixels: larger files are refused.
        Returns:
            (H, W, 3) sRGB of the photo's own size, lightness and depth: uint8, uint16 or float32; colours
            beyond sRGB give up chroma. A list of these of several photos.
        Raises:
            UserError: the file cannot be read.
            ValueError: an array or a tensor of another shape or dtype, an empty one, or a tensor (C, H, W)
                that could be (H, W, C).
        """
        photos = several(photo)
        if photos is not None:
            return [self.color(to_picture(each, max_pixels=max_pixels)).pixels for each in photos]
        return self.color(to_picture(cast(PhotoLike, photo), max_pixels=max_pixels)).pixels

    def color(self, original: Picture) -> Picture:
        """Color a photo with all that belongs to it; its metadata then says so."""
        chroma = self.predict_chroma(original)
        return apply_chroma(original, chroma, upsample=self.upsample, saturation=self.saturation)

    def predict_chroma(self, original: Picture, guidance: Guidance | None = None) -> Chroma:
        """The colours of a photo within its borders, or of each photo of a page; see `predict_whole`."""
        told = self.guidance if guidance is None else guidance
        boxes = boxes_to_show(original, self.page)
        return predict_within(original, boxes, lambda photo, box: self.predict_whole(photo, told.within(box)))

    def predict_whole(self, original: Picture, guidance: Guidance | None = None) -> Chroma:
        """The colours of a picture as it is, at the size at which the model sees it.

        Where memory runs out the model is asked again at half the size, and a warning says so.

        Args:
            original: the photo.
            guidance: what a person says about it; None: what the colorizer was made with.
        Raises:
            UserError: the model's colours are not finite, no size fits into memory, or such guidance is not
                for this model.
        """
        (chroma,) = self.predict_together([original], guidance)
        return chroma

    def predict_together(
        self, originals: Sequence[Picture], guidance: Guidance | None = None
    ) -> list[Chroma]:
        """What `predict_whole` gives of each of some pictures of one size, but for rounding, and sooner."""
        told = self.guidance if guidance is None else guidance
        by = self.about if told.seed is None else f"{self.about}, seed {told.seed}"
        chromas = []
        for original, (L, ab) in zip(originals, self.predictor.predict(originals, told), strict=True):
            if not ab.isfinite().all():
                raise UserError(f"weights {self.loaded.path} predict no finite colours: train them again")
            # As a file keeps them, so that those from a file and from the model are the same bits.
            chromas.append(Chroma(ab.half().float().contiguous(), original.size, by, L))
        return chromas

    def confidence(
        self, original: Picture, chroma: Chroma | None = None, guidance: Guidance | None = None
    ) -> np.ndarray:
        """How sure the model is of the colours of a photo: (H, W) uint8, 255 is sure.

        As it says itself where it can, else by how far it agrees with itself.

        Args:
            original: the photo.
            chroma: what `predict_chroma` returned for it, and it is seen at that size; None: predict first.
            guidance: as of `predict_whole`.
        """
        told = self.guidance if guidance is None else guidance
        found = self.predict_chroma(original, told) if chroma is None else chroma
        if found.L is None:
            raise ValueError("expected colours that this colorizer inferred")
        everywhere = np.full(original.pixels.shape[:2], 255, np.uint8)  # that paper has no colour
        for box in found.boxes or ((0, 0, *original.size),):
            left, upper, right, lower = box
            photo, L = original.crop(box), found.L[(..., *found.cells(box))]
            sure = self.predictor.confidence(photo, L, told.within(box))
            small = Image.fromarray((sure[0, 0] * 255).round().byte().numpy())
            whole = small.resize(photo.size, Image.Resampling.BILINEAR)
            everywhere[upper:lower, left:right] = np.asarray(whole)
        return everywhere

    @property
    def fast_precision(self) -> torch.dtype:
        """bfloat16 where the network is faster in it: for clips, whose grain moves colours by more.

        A model that draws keeps float32: its drawings follow every rounding.
        """
        return torch.float32 if self.model.is_random else find_precision("auto", self.device)

    @property
    def about(self) -> str:
        """The program and the weights."""
        return f"colorizer {VERSION}, {self.loaded.name}, weights sha256 {self.loaded.sha256[:16]}"

    @property
    def settings(self) -> dict[str, Any]:
        """What the colours depend on besides the photo, its hints, a seed and the weights, as JSON values."""
        seen = {
            name: getattr(self.predictor, name) for name in ("image_size", "resize", "render_size", "views")
        }
        names = ("upsample", "saturation", "page", "reference_sha256")
        own = {**seen, **{name: getattr(self, name) for name in names}}
        if self.guidance.prompt is not None:
            own["prompt"] = self.guidance.prompt
        return {**own, "model": vars(self.model.settings)}
