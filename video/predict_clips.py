"""The predict mode for clips: one, or those of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from checkpoint.file import LoadedModel
from config import Config
from core.distributed import world
from core.errors import UserError
from core.settings import check_kind
from inference.blend import Blend
from inference.colorizer import Colorizer
from inference.folder import FolderJob
from inference.outputs import check_free
from inference.painter import Painter
from inference.prompt import check_prompt
from inference.report import Result
from inference.weights import choose_weights, describe
from media.clip import Clip, open_clip
from media.encode_clip import check_container, endings_for
from media.ffmpeg import pyav
from video.color_clip import color_clip
from video.color_clips import color_clips, leave_out_clips
from video.own_color import with_mask, with_own_colors


def run_clip(config: Config, path: Path) -> None:
    """Color a clip."""
    check_kind(config, "clip", path)
    _check_for_clips(config)
    output = config.output_path or path.with_name(f"{path.stem}_colorized{endings_for(path)[0]}")
    check_container(output)
    check_free(config, {"output_path": output}, {path.resolve(): "the clip itself"})
    clip = _open(config, path)
    loaded, config = choose_weights(config)
    _check_reference(config, loaded)
    check_prompt(config, loaded)
    if config.dry_run:
        print(describe(config, loaded.model))
        print("would write {} ({}x{}, {} frames)".format(output, *clip.size, clip.num_frames))
    if not world().is_main or config.dry_run:
        return
    _color(config, Colorizer.from_config(config, loaded), Blend.from_config(config), clip, output)
    print(output)


def color_clips_of(painter: Painter, paths: Sequence[Path], job: FolderJob) -> list[Result]:
    """Color the clips of a folder; if none of them can be colored, one line says why."""
    if not paths:
        return []
    config, colorizer = painter.config, painter.colorizer
    try:
        _check_for_clips(config)
        if colorizer is None:
            raise UserError(f"--model={config.model} is for photos, not for clips: name another model")
        _check_reference(config, colorizer.loaded)
    except UserError as error:
        return leave_out_clips(paths, job, error)

    def color(path: Path, target: Path) -> None:
        assert colorizer is not None
        _color(config, colorizer, painter.blend, _open(config, path), target)

    return color_clips(color, paths, job)


def _open(config: Config, path: Path) -> Clip:
    clip = open_clip(path, max_pixels=config.max_pixels, deinterlace=config.deinterlace)
    return replace(clip, invert=config.invert)


def _color(config: Config, colorizer: Colorizer, blend: Blend | None, clip: Clip, target: Path) -> None:
    clip = with_mask(clip, config.mask) if config.mask else with_own_colors(clip, config.keep_color)
    if blend:
        colorizer = blend.for_clip(colorizer, clip.upright_size)
    settings = {name: getattr(config, name) for name in ("temporal", "every", "quality", "overwrite")}
    color_clip(colorizer, clip, target, **settings)


def _check_for_clips(config: Config) -> None:
    """
    Raises:
        UserError: clips cannot be read here, or a flag is not for them.
    """
    pyav()
    if config.side_by_side:  # allowed for a folder: it applies to its photos
        raise UserError("--side_by_side is for photos, not for clips: leave it out")
    for flag in ("hints", "reference_dir", "sample_seed", "descreen"):
        if getattr(config, flag) not in (None, False):
            raise UserError(f"--{flag} is for photos, not for clips: leave it out")
    if config.render_size == "auto":  # each frame might be shown at another size
        raise UserError("--render_size=auto is for photos, not for clips: give a number")
    if config.every > 1 and config.temporal == "off":  # the frames in between would have no colours
        raise UserError(f"--every={config.every} needs --temporal=steady: leave one of the two out")


def _check_reference(config: Config, loaded: LoadedModel) -> None:
    """
    Raises:
        UserError: the model does not take a reference itself; the solve that stands in is for photos only.
    """
    if config.reference and "reference" not in loaded.model.accepts:
        raise UserError(f"--reference: {loaded.name} takes none for clips: leave it out, or color photos")
