"""The predict mode for one photo."""

from __future__ import annotations

from pathlib import Path

from config import Config
from core.distributed import world
from inference.chroma import Chroma
from inference.corrector import Corrector
from inference.own_color import own_colors
from inference.painter import Painter, load_original
from inference.plan import Plan, plan_photo
from inference.side_by_side import contact_sheet
from inference.variants import variants, written
from inference.weights import describe
from media.encode import save_picture
from media.picture import Picture


def run_photo(config: Config, path: Path) -> None:
    """Color the file of a photo, or one photo in several variants, and print the files written.

    Raises:
        UserError: as for `plan_photo`, or the photo cannot be read, colored or written.
    """
    plan = plan_photo(config, path)
    if config.dry_run:
        _tell(plan)
    if config.dry_run or not world().is_main:  # one photo is not shared among processes
        return
    corrector = Corrector(plan.config, plan.accepts)
    if variants(plan.config):
        _color_variants(plan, corrector)
        return
    Painter(plan.config, corrector, plan.colorizer(plan.config)).color_file(path, plan.output)
    print(*plan.targets, sep="\n")


def _tell(plan: Plan) -> None:
    """Print what would be written, for --dry_run."""
    original = load_original(plan.config, plan.photo)
    if plan.loaded:
        print(describe(plan.config, plan.loaded.model))
    many = f", {plan.pages.num} pictures" if plan.pages.num > 1 else ""
    for path in written(plan.config, plan.output):
        print("would write {} ({}x{}{})".format(path, *original.size, many))


def _color_variants(plan: Plan, corrector: Corrector) -> None:
    """Write each variant as soon as it is colored, and then a contact sheet of all."""
    original, drawn = load_original(plan.config, plan.photo), {}
    *paths, sheet = plan.targets
    for variant, path in zip(variants(plan.config), paths, strict=True):
        painter = Painter(variant.config, corrector, plan.colorizer(variant.config))
        drawn[variant.title] = chroma = painter.colors(original, plan.photo)
        painter.write(plan.photo, [path], [painter.finish(original, chroma, plan.photo, path)])
        print(path)
    save_picture(sheet, _sheet(plan.config, corrector, original, drawn), quality=plan.config.quality)
    print(sheet)


def _sheet(config: Config, corrector: Corrector, original: Picture, drawn: dict[str, Chroma]) -> Picture:
    own = own_colors(original, config, next(iter(drawn.values())).boxes)
    return contact_sheet(
        original, drawn, upsample=config.upsample, saturation=corrector.remaining_saturation, own=own
    )
