"""One photo, as the predict mode colors it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from checkpoint.file import LoadedModel
from config import Config
from core.distributed import world
from core.errors import UserError
from core.settings import check_kind
from inference.chroma import Chroma, load_chroma, save_chroma
from inference.colorizer import Colorizer
from inference.corrector import Corrector, check_given
from inference.outputs import check_outputs
from inference.own_color import own_colors
from inference.painter import Painter, load_original, targets_of
from inference.prompt import check_prompt
from inference.side_by_side import contact_sheet
from inference.variants import check_variants, variants, written
from inference.weights import choose_weights, describe
from media.clip import is_clip
from media.decode import photo_format
from media.encode import save_picture
from media.pages import Pages, find_pages
from media.picture import Picture, from_array
from media.sidecar import copy_sidecar
from models.registry import WITHOUT_WEIGHTS


def run_photo(config: Config, path: Path) -> None:
    """Color a photo."""
    check_kind(config, "photo", path)
    if config.output_path:
        if is_clip(config.output_path):
            raise UserError(f"{path} is a photo, and {config.output_path} would be a clip: name a picture")
        photo_format(config.output_path)
    pages = find_pages(path)
    output = check_outputs(config, path, pages)
    original = load_original(config, path)
    if config.apply_chroma or config.model in WITHOUT_WEIGHTS:
        _color_without_model(config, path, original, output, pages)
        return
    loaded, config = choose_weights(config)
    check_variants(config, loaded, pages.num)
    check_prompt(config, loaded)
    corrector = Corrector(config, loaded.model.accepts)
    if config.dry_run:
        print(describe(config, loaded.model))
        _print_targets(written(config, output), original, pages.num)
        return
    if not world().is_main:  # there is nothing to share
        return
    if config.samples or config.render_sizes:
        _write_variants(config, corrector, loaded, original, output)
        return
    colorizer = Colorizer.from_config(config, loaded)
    painter = Painter(config, corrector, colorizer)
    if pages.num > 1:
        del original
        painter.color_file(path, output)
        print(*targets_of(output, pages), sep="\n")
        return
    chroma = painter.predict_chroma(original)
    if config.save_confidence:
        _save_confidence(config, corrector, colorizer, original, chroma)
    chroma = corrector(original, chroma)
    if config.save_chroma:
        save_chroma(config.save_chroma, chroma)
        print(config.save_chroma)
    colored = painter.finish(original, chroma, path)
    del original  # encoding takes memory of its own
    save_picture(output, colored, quality=config.quality)
    copy_sidecar(path, output, painter.about, overwrite=config.overwrite)
    print(output)


def _print_targets(targets: Sequence[Path], original: Picture, num_pages: int = 1) -> None:
    many = f", {num_pages} pictures" if num_pages > 1 else ""
    for target in targets:
        print("would write {} ({}x{}{})".format(target, *original.size, many))


def _save_confidence(
    config: Config, corrector: Corrector, colorizer: Colorizer, original: Picture, chroma: Chroma | None
) -> None:
    assert config.save_confidence is not None
    guidance = corrector.guidance(colorizer, original)
    sure = from_array(colorizer.confidence(original, chroma, guidance))
    save_picture(config.save_confidence, sure, quality=config.quality)
    print(config.save_confidence)


def _color_without_model(config: Config, path: Path, original: Picture, output: Path, pages: Pages) -> None:
    """Color with what an earlier prediction kept, or with what a person gives alone."""
    if config.dry_run:
        check_given(config)
        _print_targets([output], original, pages.num)
    if not world().is_main or config.dry_run:
        return
    chroma = load_chroma(config.apply_chroma) if config.apply_chroma else None
    corrector = Corrector(config)
    painter = Painter(config, corrector)
    if pages.num > 1:
        painter.color_file(path, output)
        print(*targets_of(output, pages), sep="\n")
        return
    if painter.blend and chroma:
        chroma = painter.blend(original, chroma)
    guided = corrector(original, chroma)
    colored = painter.finish(original, guided, path)
    save_picture(output, colored, quality=config.quality)
    copy_sidecar(path, output, chroma.by if chroma else painter.about, overwrite=config.overwrite)
    print(output)


def _write_variants(
    config: Config, corrector: Corrector, loaded: LoadedModel, original: Picture, output: Path
) -> None:
    """Write every picture as soon as it is colored, and the sheet of all."""
    drawn, photo = {}, config.image_path
    assert photo is not None
    *paths, sheet = written(config, output)
    for variant, path in zip(variants(config), paths, strict=True):
        painter = Painter(variant.config, corrector, Colorizer.from_config(variant.config, loaded))
        drawn[variant.title] = chroma = corrector(original, painter.predict_chroma(original))
        colored = painter.finish(original, chroma, photo, path)
        save_picture(path, colored, quality=config.quality)
        copy_sidecar(photo, path, painter.about, overwrite=config.overwrite)
        print(path)
    own = own_colors(original, config, chroma.boxes)
    together = contact_sheet(
        original, drawn, upsample=config.upsample, saturation=corrector.saturation, own=own
    )
    save_picture(sheet, together, quality=config.quality)
    print(sheet)
