"""The library entry: load a model once, color photos of any size many times."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast, overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from checkpoint.file import LoadedModel, load_weights
from checkpoint.shipped import DEFAULT, find_weights
from config import VERSION, Config
from core.device import find_device, find_precision, is_out_of_memory
from core.errors import UserError
from core.files import sha256
from inference.borders import boxes_to_show, predict_within
from inference.chroma import Chroma, apply_chroma
from inference.confidence import confidence, most_consistent
from inference.fold import fold_batch_norms
from inference.guidance import NOTHING, Guidance
from inference.model_view import lightness_seen, size_seen
from inference.views import mean_over_views
from media.anything import PhotoLike, SeveralPhotos, several, to_picture
from media.picture import Picture, load_picture
from models.base import ColorizationModel
from models.layers import STRIDE

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

# Render sizes that 'auto' compares, as multiples of the side that the model was trained at.
_RENDER_SIZES = (1, 0.75, 1.25, 1.5)
# Where memory runs out the model sees half the size, but no less than this.
_SMALLEST_SIDE = 32


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
        self.image_size: int = image_size or loaded.info.get("image_size", Config.image_size)
        self.resize: str = resize or loaded.info.get("resize", Config.resize)
        self.render_size, self.views = render_size, views
        # Several threads may share a colorizer, but not every kind of GPU.
        on_cpu = self.device.type == "cpu"
        self._one_at_a_time = contextlib.nullcontext() if on_cpu else threading.Lock()
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

    @torch.inference_mode()
    def predict_together(
        self, originals: Sequence[Picture], guidance: Guidance | None = None
    ) -> list[Chroma]:
        """What `predict_whole` gives of each of some pictures of one size, but for rounding, and sooner."""
        told = self.guidance if guidance is None else guidance
        sides = self._sides()
        if len(originals) > 1 and len(sides) == self.views == 1:
            seen = [self._seen(original, sides[0]) for original in originals]
            try:
                colors = self._predictor(told)(torch.cat(seen)).split(1)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
            else:
                three = zip(originals, seen, colors, strict=True)
                return [self._chroma(original, L, ab, told) for original, L, ab in three]
        return [self._predict_alone(original, told) for original in originals]

    def _predict_alone(self, original: Picture, told: Guidance) -> Chroma:
        L, ab = self._within_memory(self._sides(), lambda sides: self._infer_at(original, sides, told))
        return self._chroma(original, L, ab, told)

    def _chroma(self, original: Picture, L: Tensor, ab: Tensor, told: Guidance) -> Chroma:
        """Colours as a file keeps them, so that those from a file and from the model are the same bits."""
        if not ab.isfinite().all():
            raise UserError(f"weights {self.loaded.path} predict no finite colours: train them again")
        by = self.about if told.seed is None else f"{self.about}, seed {told.seed}"
        return Chroma(ab.half().float().contiguous(), original.size, by, L)

    @torch.inference_mode()
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
        sure = np.full(original.pixels.shape[:2], 255, np.uint8)  # that paper has no colour
        for box in found.boxes or ((0, 0, *original.size),):
            left, upper, right, lower = box
            L = found.L[(..., *found.cells(box))]
            sure[upper:lower, left:right] = self._confidence(original.crop(box), L, told.within(box))
        return sure

    def _confidence(self, photo: Picture, L: Tensor, guidance: Guidance) -> np.ndarray:
        """(H, W) uint8; L (1, 1, h, w): of the photo as the model saw it."""
        side = min(L.shape[-2:])

        def sure_at(sides: list[int]) -> Tensor:
            return self._confidence_at(L if sides == [side] else self._seen(photo, sides[0]), guidance)

        sure = self._within_memory([side], sure_at)
        small = Image.fromarray((sure[0, 0] * 255).round().byte().numpy())
        return np.asarray(small.resize(photo.size, Image.Resampling.BILINEAR))

    def _confidence_at(self, L: Tensor, guidance: Guidance) -> Tensor:
        inputs = guidance.at(L, self._shape_seen).to(self.device)
        with self._one_at_a_time:
            sure = self.model.confidence(self.model.outputs(inputs), inputs.L)
        if sure is not None:
            return sure.float().cpu()
        return confidence(self._predictor(guidance), L, self._predictor(guidance.mirrored()))

    def _predictor(self, guidance: Guidance) -> Callable[[Tensor], Tensor]:
        """L* (N, 1, h, w) -> ab (N, 2, h, w), with what a person says about the photo.

        Where more channels follow L* they are the hints, moved along with the photo.
        """

        def predict(seen: Tensor) -> Tensor:
            inputs = guidance.at(seen[:, :1], self._shape_seen)
            if seen.shape[1] > 1:
                inputs = dataclasses.replace(inputs, hints=seen[:, 1:])
            with self._one_at_a_time:
                return self.model.predict(inputs.to(self.device)).float().cpu()

        return predict

    def _within_memory(self, sides: list[int], use: Callable[[list[int]], Answer]) -> Answer:
        """`use` of the sides at which the model may see a photo; of half of them where memory runs out."""
        while True:
            try:
                return use(sides)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
            # Not within `except`: the error holds on to the memory that ran out.
            smaller = [side // 2 for side in sides]
            if min(smaller) < _SMALLEST_SIDE:
                raise UserError(
                    f"out of memory even at {max(sides)} pixels: free memory, or use another --device"
                )
            log.warning("out of memory at %d pixels: the model sees %d instead", max(sides), max(smaller))
            sides = smaller

    def _sides(self) -> list[int]:
        """The sides at which the model is shown a photo; the colours at the most consistent one are taken."""
        if self.render_size != "auto":
            return [int(self.render_size or self.image_size)]
        sides = [max(STRIDE, round(self.image_size * f / STRIDE) * STRIDE) for f in _RENDER_SIZES]
        return list(dict.fromkeys(sides))  # no size twice: it would agree with itself

    def _infer_at(self, original: Picture, sides: list[int], guidance: Guidance) -> tuple[Tensor, Tensor]:
        """L* of a photo at the size at which the model sees it, and the model's colours for it."""
        predict = self._predictor(guidance)
        seen = [self._seen(original, side) for side in sides]
        candidates = [predict(L) for L in seen] if len(seen) > 1 or self.views == 1 else []
        best = most_consistent(candidates) if len(seen) > 1 else 0
        if self.views == 1:
            return seen[best], candidates[best]
        hints = guidance.at(seen[best], self._shape_seen).hints
        shown = seen[best] if hints is None else torch.cat((seen[best], hints), dim=1)
        return seen[best], mean_over_views(predict, shown, self.views)

    def _seen(self, original: Picture, side: int) -> Tensor:
        return lightness_seen(original, size_seen(original.size, side, self.resize))

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
        names = ("image_size", "resize", "render_size", "views", "upsample", "saturation", "page")
        own: dict[str, Any] = {name: getattr(self, name) for name in (*names, "reference_sha256")}
        if self.guidance.prompt is not None:
            own["prompt"] = self.guidance.prompt
        return {**own, "model": vars(self.model.settings)}

    def _shape_seen(self, size: tuple[int, int]) -> tuple[int, int]:
        return size_seen(size, self.image_size, self.resize)
