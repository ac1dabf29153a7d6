"""Open the dataset, its splits and their loaders by a configuration."""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from config import Config
from core.distributed import main_first, world
from core.errors import UserError
from core.runs import CONFIG, MANIFEST, PACK, REJECTED, check_same, is_of_scores, read_config, restore
from data.listing import DATASETS, Listing, download_places, list_photos
from data.loader import PhotoLoader
from data.manifest import Entry, Manifest, read_manifest
from data.pack import Packer
from data.protocols import check_number, photos_of
from data.split import draw_manifest
from media.decode import PhotoError

log = logging.getLogger(__name__)


def open_listing(config: Config) -> Listing:
    """List --data_dir, without the pictures of runs; with --download, download Places365 into it first.

    Raises:
        UserError: there is no photo.
    """
    if config.download and config.data_dir in DATASETS:
        raise UserError(f"--download fetches nothing for --data_dir={config.data_dir}: leave it out")
    if config.download and not config.dry_run:
        with main_first():
            download_places(Path(config.data_dir))
    return _without_runs(list_photos(config.data_dir), config.run_path)


def _without_runs(listing: Listing, run_path: Path) -> Listing:
    """Leave out the folders of runs below the photos' folder, this one's too, and pictures of tests."""
    root, own = Path(listing.root), run_path.absolute()

    @functools.cache
    def is_of_run(folder: Path) -> bool:
        if root not in folder.parents:
            return False
        is_run = folder == own or ((folder / CONFIG).is_file() and (folder / MANIFEST).is_file())
        return is_run or is_of_run(folder.parent)

    photos = tuple(
        photo
        for photo in listing.photos
        if not (is_of_run(photo.path.parent.absolute()) or is_of_scores(photo.path))
    )
    if not photos:
        raise UserError(f"--data_dir={root} holds no photo but those of runs: name another folder")
    return replace(listing, photos=photos)


def draw_split(config: Config, listing: Listing, *, whole: bool = False) -> Manifest:
    """Draw the subset and its split; with `whole`, take every photo, as one split named 'test'.

    With `whole` and a protocol, gray photos and copies are kept.

    Raises:
        UserError: too many photos are unreadable or gray, or too few for the splits.
    """
    num = len(listing.photos)
    if num < config.subset_size and not whole:
        print(f"{listing.root} holds {num} photos, fewer than --subset_size: all are used")
    rejected = config.run_path / ("rejected_all.csv" if whole else REJECTED)
    return draw_manifest(
        listing,
        seed=config.seed,
        subset_size=None if whole else config.subset_size,
        ratios=(0, 0, 1) if whole else config.split_ratio,
        max_pixels=config.max_pixels,
        max_rejected=config.max_rejected,
        num_workers=config.num_workers,
        rejected_path=None if config.dry_run else rejected,
        as_is=whole and config.protocol is not None,
    )


def open_split(config: Config) -> Manifest:
    """Open the photos to score: those of the run's training, or newly drawn if the run has none.

    A warning is logged if the folder has changed since the training drew its split; photos whose contents
    have changed are left out.

    Raises:
        UserError: no such photos, a flag contradicts the split, or the manifest is lost and the same split
            cannot be drawn again.
    """
    path = config.run_path / MANIFEST
    stored = read_config(config.run_path)
    _check_given(config, stored)
    same = ("data_dir", "seed", "subset_size", "split_ratio", "max_rejected", "max_pixels")
    config = restore(config, stored, [name for name in same if name not in config.given])
    facts = stored.get("facts", {})
    listing = photos_of(config, open_listing(config))
    if config.split == "all":
        manifest = draw_split(config, listing, whole=True)
        check_number(config, manifest)
        return manifest
    if not path.exists() or not stored:  # without a training the folder may hold other photos now
        print(f"no training in {config.run_path}: drawing the split of seed {config.seed}")
        manifest = draw_split(config, listing)
        if facts and facts.get("manifest_sha256") != manifest.sha256:
            raise UserError(
                f"{path} is lost, and {listing.root} is no longer what it was drawn from: put one of "
                "them back, or score every photo with --split=all"
            )
        if world().is_main and not config.dry_run:
            manifest.write(path)
    else:
        advice = ", or score every photo of this one with --split=all"
        manifest = read_manifest(path, listing, advice=advice)
        manifest = _unchanged(manifest, listing, facts, config.split)
    if not manifest.of(config.split):
        raise UserError(f"no photo of {listing.root} is in --split={config.split}: choose another")
    check_number(config, manifest)
    return manifest


def _check_given(config: Config, stored: dict[str, Any]) -> None:
    """Check that no flag asks for another split than the one that is scored.

    Raises:
        UserError: naming the flag.
    """
    for name in sorted(config.given & {"subset_size", "split_ratio"}):
        if config.split == "all":
            raise UserError(f"--{name}: --split=all takes every photo: leave one of them out")
        check_same(config, stored, name)


def _unchanged(manifest: Manifest, listing: Listing, facts: dict[str, Any], split: str) -> Manifest:
    """Leave out the photos of a split whose contents have changed, and report how the folder has changed.

    Raises:
        UserError: all of them have changed.
    """
    entries = manifest.of(split)
    changed = {entry for entry in entries if not _is_same(entry)}
    if changed and len(changed) == len(entries):
        raise UserError(
            f"none of the photos of {listing.root} in the {split} split has the contents that the run was "
            "started with: put them back, or score every photo of the folder with --split=all"
        )
    differs = facts and facts.get("listing_sha256") != listing.sha256()
    if world().is_main and (differs or changed or manifest.missing):
        log.warning(
            "%s has changed since the run drew its split: it lists %d photos (then %s), %d of the "
            "manifest are gone, %d of the %s photos have other contents and are left out",
            listing.root,
            len(listing.photos),
            facts.get("num_listed", "unknown"),
            len(manifest.missing),
            len(changed),
            split,
        )
    return replace(manifest, entries=tuple(entry for entry in manifest.entries if entry not in changed))


def _is_same(entry: Entry) -> bool:
    try:
        with entry.photo.open() as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == entry.sha256
    except (OSError, PhotoError):
        return False


def make_loader(
    config: Config, entries: Sequence[Entry], device: torch.device, classes: Sequence[str] = ()
) -> PhotoLoader:
    """Make a loader of some photos of a manifest; they are packed first unless a pack exists.

    Args:
        config: of the run.
        entries: the photos.
        device: of the batches.
        classes: the labels are indices into these; empty: no labels.
    """
    packer = Packer(
        config.pack_dir or config.run_path / PACK,
        image_size=config.image_size,
        resize=config.resize,
        max_pixels=config.max_pixels,
        num_workers=config.num_workers,
    )
    pack = packer.pack(entries)
    return PhotoLoader(
        pack,
        batch_size=config.batch_size,
        device=device,
        on_device=config.on_device,
        min_crop=config.min_crop,
        film_augment=config.film_augment,
        classes=classes,
    )
