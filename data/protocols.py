"""Evaluation protocols of papers (photos, input size, metrics), to compare scores with published ones."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from config import Config
from core.errors import UserError
from data.listing import Listing, Photo
from data.manifest import Manifest


@dataclass(frozen=True)
class Protocol:
    """
    Attributes:
        about: the photos, the source, and what is not checked or differs from it; for metrics.json.
        settings: of the configuration that it fixes, by name.
        metrics: that are printed, names of `scoring.scorecard.METRIC_NAMES`.
        num_photos: number of photos to score.
        file_name: pattern of the photos' file names; its group is their number.
        numbers: of the photos to score; None: a subset of the whole folder is drawn.
        changeable: names of the `settings` that a flag may change.
    """

    about: str
    settings: Mapping[str, Any]
    metrics: tuple[str, ...]
    num_photos: int
    file_name: re.Pattern[str]
    numbers: range | None = None
    changeable: frozenset[str] = frozenset()


_PLACES = re.compile(r"(?:Places365_(?:val|test)_)?(\d{8})\.jpe?g", re.IGNORECASE)
_IMAGENET = re.compile(r"ILSVRC2012_val_(\d{8})\.(?:jpe?g|png)", re.IGNORECASE)

PROTOCOLS = {
    "published": Protocol(
        "the published table of the GAE: 4 500 test photos of 30 000 of Places, split 70/15/15, squashed to "
        "224 px. Which 30 000 were drawn is not published",
        {
            "split": "test",
            "subset_size": 30_000,
            "split_ratio": (0.70, 0.15, 0.15),
            "image_size": 224,
            "resize": "squash",
        },
        ("mse", "psnr", "ssim", "delta_e_76"),
        4_500,
        _PLACES,
    ),
    "ctest10k": Protocol(
        "10 000 photos of numbers 25 275 to 50 000 of the validation set of ImageNet, squashed to 256 px; "
        "gray ones are among them. That they are the 10 000 of Larsson et al. 2016 is not checked, for "
        "their list is not here: the folder says which. LPIPS is not scored",
        {"split": "all", "image_size": 256, "resize": "squash"},
        ("psnr", "ssim"),
        10_000,
        _IMAGENET,
        range(25_275, 50_001),
    ),
    "val5k": Protocol(
        "the first 5 000 photos of the validation set of ImageNet, short side to 256 px, then the centre; "
        "gray ones are among them. The Fréchet distance is the field's FID only with --set_scores=inception, "
        "and the colourfulness is signed",
        {"split": "all", "image_size": 256, "resize": "crop", "set_scores": "efficientnet"},
        ("psnr", "ssim", "colorfulness"),
        5_000,
        _IMAGENET,
        range(1, 5_001),
        frozenset({"set_scores"}),
    ),
}


def with_protocol(config: Config) -> Config:
    """Apply the settings of --protocol to a configuration; unchanged without one.

    Raises:
        UserError: a flag contradicts the protocol.
    """
    if config.protocol is None:
        return config
    protocol = PROTOCOLS[config.protocol]
    chosen = protocol.changeable & config.given
    settings = {name: value for name, value in protocol.settings.items() if name not in chosen}
    for name in ("max_photos", *settings):
        if name in config.given and getattr(config, name) != settings.get(name):
            raise UserError(f"--protocol={config.protocol} says itself what --{name} is: leave it out")
    return config.replace(**settings, given=config.given | set(settings))


def photos_of(config: Config, listing: Listing) -> Listing:
    """Select the photos of --protocol from a listing; all photos without one.

    Raises:
        UserError: the photos of the listing are not those of the protocol.
    """
    if config.protocol is None:
        return listing
    protocol = PROTOCOLS[config.protocol]
    numbers = [(_number(protocol, photo), photo) for photo in listing.photos]
    if protocol.numbers is None:
        if strange := next((photo.name for number, photo in numbers if number is None), None):
            raise UserError(
                f"--protocol={config.protocol} is of Places365, and {strange} is not one of its files: name "
                "its folder with --data_dir"
            )
        return listing
    photos = {number: photo for number, photo in numbers if number in protocol.numbers}
    num_found = sum(number in protocol.numbers for number, _ in numbers)
    if not len(photos) == num_found == protocol.num_photos:
        first, last = (f"ILSVRC2012_val_{protocol.numbers[end]:08}" for end in (0, -1))
        raise UserError(
            f"--protocol={config.protocol} is of {protocol.num_photos} photos of {first} to {last}, and "
            f"{listing.root} holds {num_found} of these files: give the folder of that set with --data_dir"
        )
    return Listing(listing.root, tuple(photos.values()))


def check_number(config: Config, manifest: Manifest) -> None:
    """Check that the split has exactly the number of photos of --protocol, if one is given.

    Raises:
        UserError: it has not.
    """
    if config.protocol is None:
        return
    wanted, num = PROTOCOLS[config.protocol].num_photos, len(manifest.of(config.split))
    if num != wanted:
        raise UserError(
            f"--protocol={config.protocol} is of {wanted} photos, and there are {num}: mend the folder, or "
            "name another with --data_dir or another --run_dir"
        )


def about_protocol(config: Config) -> dict[str, Any]:
    """The entry on --protocol for metrics.json; empty without one."""
    if config.protocol is None:
        return {}
    protocol = PROTOCOLS[config.protocol]
    return {"protocol": {"name": config.protocol, "about": protocol.about, "metrics": protocol.metrics}}


def _number(protocol: Protocol, photo: Photo) -> int | None:
    found = protocol.file_name.fullmatch(PurePosixPath(photo.name).name)
    return int(found[1]) if found else None
