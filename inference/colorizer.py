"""The entry point of the library: load a model once, then color any number of photos of any size."""

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
        render_size: int | str | None = None,
        views: int = Config.views,
        upsample: str = Config.upsample,
        saturation: float = Config.saturation,
        page: str = Config.page,
        device: str | torch.device = "auto",
    ) -> None:
        """
        Args:
            loaded: a model with the metadata of its file. It is changed in place for prediction, and cannot
                be trained any more.
            image_size, resize: how a photo is resized for the model; None: as the weights say, else the
                defaults of the configuration.
            render_size: side at which the model sees photos instead of `image_size`; 'auto' compares several.
            views: number of views of each photo whose colours are averaged; see `mean_over_views`.
            upsample: how the colours are upsampled to the photo's size, a name of `UPSAMPLERS`.
            saturation: factor of the predicted chroma.
            page: whether a scan may hold several photos: 'auto', 'album' or 'photo', as of --page.
            device: 'auto', 'cpu', 'cuda' or 'mps', or one of torch.
        Raises:
            UserError: a value that the flag of the same name does not take, or the device is not available.
        """
        render_size = None if render_size is None else str(render_size)
        _check(image_size=image_size, resize=resize, render_size=render_size, views=views)
        _check(upsample=upsample, saturation=saturation, page=page, device=getattr(device, "type", device))
        self.loaded = loaded
        found = find_device(device)
        model = loaded.model.to(found).eval()
        if not model.is_random:  # folding changes the rounding, and with it what a model draws
            fold_batch_norms(model, torch.full((1, 1, 1, 1), 50.0, dtype=torch.float32, device=found))
        # Faster for convolutions of a single picture, above all in bfloat16 on a CPU.
        model.to(memory_format=torch.channels_last)
        self.predictor = Predictor(
            model,
            found,
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
        """A colorizer by a configuration; what no flag sets is as in the model's training.

        If the model does not take a reference, --reference is left to `inference.corrector`.

        Raises:
            UserError: the device is not available, or --reference cannot be read.
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
        """Load weights: the shipped ones by name (file name in weights/ without its ending), or any file.

        Args:
            weights: name or file.
            options: the keywords of the constructor.

        Raises:
            UserError: there is no such file, it is unreadable, or a keyword is out of range.
        """
        path = find_weights(Path(weights), None, "")
        return cls(load_weights(path), **options)

    def with_settings(self, **changes: Any) -> Colorizer:
        """A copy with other settings of the model, such as `vividness`, that shares its parameters.

        Raises:
            UserError: a value out of range.
        """
        other = copy.copy(self)
        model = copy.copy(self.model)  # a module's shallow copy shares its parameters
        model.settings = dataclasses.replace(self.model.settings, **changes)
        other.predictor = dataclasses.replace(self.predictor, model=model)
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
                tensor. Its own colours are ignored: only the lightness counts.
            max_pixels: larger files are refused.
        Returns:
            (H, W, 3) sRGB of the photo's own size, lightness and depth: uint8, uint16 or float32; the chroma
            of colours outside sRGB is reduced. For several photos a list of these.
        Raises:
            UserError: the file cannot be read.
            ValueError: an array or a tensor of another shape or dtype, an empty one, one of floats far
                beyond 1 or not finite, or a tensor (C, H, W) that could be (H, W, C).
        """
        photos = several(photo)
        if photos is not None:
            return [self.color(to_picture(each, max_pixels=max_pixels)).pixels for each in photos]
        return self.color(to_picture(cast(PhotoLike, photo), max_pixels=max_pixels)).pixels

    def color(self, original: Picture) -> Picture:
        """Color a photo; alpha and metadata are kept, with a mark that the colours are inferred."""
        chroma = self.predict_chroma(original)
        return apply_chroma(original, chroma, upsample=self.upsample, saturation=self.saturation)

    def predict_chroma(self, original: Picture, guidance: Guidance | None = None) -> Chroma:
        """Predict the colours of a photo without its borders, or of each photo of a page."""
        told = self.guidance if guidance is None else guidance
        boxes = boxes_to_show(original, self.page)
        return predict_within(original, boxes, lambda photo, box: self.predict_whole(photo, told.within(box)))

    def predict_whole(self, original: Picture, guidance: Guidance | None = None) -> Chroma:
        """Predict the colours of a whole picture, at the size at which the model sees it.

        If memory runs out, the model is asked again at half the size, with a warning.

        Args:
            original: the photo.
            guidance: what a person says about it; None: `self.guidance`.
        Raises:
            UserError: the model's colours are not finite, no size fits into memory, or the model does not
                take such guidance.
        """
        (chroma,) = self.predict_together([original], guidance)
        return chroma

    def predict_together(
        self, originals: Sequence[Picture], guidance: Guidance | None = None
    ) -> list[Chroma]:
        """`predict_whole` of several pictures of one size, as a batch: faster, the same up to rounding."""
        told = self.guidance if guidance is None else guidance
        by = self.about if told.seed is None else f"{self.about}, seed {told.seed}"
        chromas = []
        for original, (L, ab) in zip(originals, self.predictor.predict(originals, told), strict=True):
            if not ab.isfinite().all():
                raise UserError(f"weights {self.loaded.path} predict no finite colours: train them again")
            # Rounded as in a file, so that colours from a file and from the model are bit-identical.
            chromas.append(Chroma(ab.half().float().contiguous(), original.size, by, L))
        return chromas

    def confidence(
        self, original: Picture, chroma: Chroma | None = None, guidance: Guidance | None = None
    ) -> np.ndarray:
        """How sure the model is of the colours of a photo: (H, W) uint8, 255 is sure.

        The model's own estimate if it has one, else the consistency of its predictions under small changes of
        the photo.

        Args:
            original: the photo.
            chroma: the result of `predict_chroma` for it, whose size is used; None: predict first.
            guidance: as in `predict_whole`.
        """
        told = self.guidance if guidance is None else guidance
        found = self.predict_chroma(original, told) if chroma is None else chroma
        if found.L is None:
            raise ValueError("expected colours that this colorizer inferred")
        # 255 around the photos: that paper has no colour is certain.
        everywhere = np.full(original.pixels.shape[:2], 255, np.uint8)
        for box in found.boxes or ((0, 0, *original.size),):
            left, upper, right, lower = box
            photo, L = original.crop(box), found.L[(..., *found.cells(box))]
            sure = self.predictor.confidence(photo, L, told.within(box))
            small = Image.fromarray((sure[0, 0] * 255).round().byte().numpy())
            whole = small.resize(photo.size, Image.Resampling.BILINEAR)
            everywhere[upper:lower, left:right] = np.asarray(whole)
        return everywhere

    @property
    def model(self) -> ColorizationModel:
        """The network, in evaluation mode, on `device`."""
        return self.predictor.model

    @property
    def device(self) -> torch.device:
        """Where the network computes."""
        return self.predictor.device

    @property
    def fast_precision(self) -> torch.dtype:
        """The precision for clips: bfloat16 if that is faster; film grain changes colours by more than that.

        float32 for a model that draws its colours at random, since any rounding changes what it draws.
        """
        return torch.float32 if self.model.is_random else find_precision("auto", self.device)

    @property
    def about(self) -> str:
        """Name and version of the program, and name and hash of the weights."""
        return f"colorizer {VERSION}, {self.loaded.name}, weights sha256 {self.loaded.sha256[:16]}"

    @property
    def settings(self) -> dict[str, Any]:
        """All settings that the colours depend on, as JSON values, but for hints, seed and weights."""
        seen = {
            name: getattr(self.predictor, name) for name in ("image_size", "resize", "render_size", "views")
        }
        names = ("upsample", "saturation", "page", "reference_sha256")
        own = {**seen, **{name: getattr(self, name) for name in names}}
        if self.guidance.prompt is not None:
            own["prompt"] = self.guidance.prompt
        return {**own, "model": vars(self.model.settings)}


def _check(**options: Any) -> None:
    """Check keywords of the constructor as the flags of the same names.

    Raises:
        UserError: a value is out of range, or there are several render sizes.
    """
    config = Config(mode="predict", **{name: value for name, value in options.items() if value is not None})
    if config.render_sizes:
        raise UserError(f"--render_size={config.render_size}: a Colorizer takes one: name one")
