"""Which parts of a clip keep their own colours: shots that are in colour already, or those in a mask."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from core.device import one_thread
from core.figures import progress_bar
from core.remarks import remark
from data.own_color import SIDE, has_color, is_toned, small_lab
from inference.own_color import read_mask
from media.clip import Clip
from media.ffmpeg import decoded
from media.picture import size_within
from video.temporal import is_cut

_EVERY = 6  # only every so many frames are tested for colour, since all of a shot is in colour or none


def with_own_colors(clip: Clip, keep_color: str, watch: Callable[[], object] | None = None) -> Clip:
    """Search a clip for shots that keep their colours.

    Args:
        clip: any.
        keep_color: 'no': no shots; 'auto': those in colour, which is reported; 'yes': also toned ones, which
            have a single hue.
        watch: called after each frame; an exception that it raises ends the search. None: a progress bar is
            drawn.
    Returns:
        The clip with `own` set.
    Raises:
        ClipError: it cannot be read.
    """
    if keep_color == "no":
        return clip
    seconds: list[float] = []
    with one_thread():
        shots = list(_shots(clip, seconds, tone_too=keep_color == "yes", watch=watch))
    own = tuple(frames for frames, is_colored in shots if is_colored)
    if not own or keep_color == "yes":
        return replace(clip, own=own)
    seconds.append(seconds[-1] + float(clip.last_duration * clip.time_base or 1 / clip.rate))
    times = ", ".join(f"{seconds[f.start]:.1f}-{seconds[f.stop]:.1f} s" for f in own)
    told = f"has colours of its own in {len(own)} of {len(shots)} shots, which stay"
    remark(f"{clip.path} {told} ({times}); --keep_color=no colors them", told)
    return replace(clip, own=own)


def with_mask(clip: Clip, path: Path) -> Clip:
    """Set the mask of a clip: it keeps its own colours where a picture of its upright size is black.

    Raises:
        UserError: the picture cannot be read, or is of another size.
    """
    upright = read_mask(path, clip.upright_size, "--mask", max_pixels=clip.max_pixels)
    stored = Image.fromarray(clip.as_stored(torch.from_numpy(upright)).numpy())
    small = stored.resize(clip.chroma_size, Image.Resampling.BOX)
    return replace(clip, mask=np.asarray(small).astype(np.float32) / 255)


@contextlib.contextmanager
def _watched(watch: Callable[[], object] | None, clip: Clip) -> Iterator[Callable[[], object]]:
    if watch is not None:
        yield watch
        return
    with progress_bar("looking for colour", clip.num_frames, "frame") as bar:
        yield bar.update


def _shots(
    clip: Clip, seconds: list[float], *, tone_too: bool, watch: Callable[[], object] | None
) -> Iterator[tuple[range, bool]]:
    """The frames of each shot, and whether most of the tested ones are in colour.

    The time of each frame is added to `seconds`.
    """
    start, votes, before = 0, [], None
    number = -1
    with _watched(watch, clip) as seen:
        for number, picture in enumerate(decoded(clip.path, clip.max_pixels)):
            is_timed = picture.time is not None
            seconds.append(picture.time - float(clip.start) if is_timed else number / float(clip.rate))
            lab = small_lab(_small(picture))
            L = torch.from_numpy(lab[None, :1])
            if before is not None and is_cut(L, before):
                yield range(start, number), float(np.mean(votes)) > 0.5
                start, votes = number, []
            if (number - start) % _EVERY == 0:
                votes.append(has_color(lab) or (tone_too and is_toned(lab)))
            before = L
            seen()
    if votes:
        yield range(start, number + 1), float(np.mean(votes)) > 0.5


def _small(picture: Any) -> Image.Image:
    width, height = size_within((picture.width, picture.height), SIDE)
    return Image.fromarray(
        picture.reformat(width=width, height=height, format="rgb24", interpolation="AREA").to_ndarray()
    )
