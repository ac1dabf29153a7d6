"""Listing -> subset -> train/val/test, the same on every machine, and written down.

Photos stand in the order of a seeded hash of their name. The first readable, colored ones of that
order are the subset. A photo that comes to the folder later takes its own place in the order and
moves nobody else's.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.distributed import world
from core.errors import UserError
from core.figures import progress_bar
from core.files import csv_text, read_csv, sha256, write_csv, write_text
from data.inspection import each, fault_of, read
from data.listing import Listing, Photo, encode

SPLITS = ("train", "val", "test")
COLUMNS = ("split", "name", "label", "sha256")


@dataclass(frozen=True)
class Rejected:
    """A photo left out of every split, and why. A copy is no fault of the folder, the rest is."""

    name: str
    reason: str
    is_copy: bool = False


@dataclass(frozen=True)
class Entry:
    """One row of the manifest; `sha256` is that of the file's bytes."""

    split: str
    photo: Photo
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """Which photo is in which split.

    Attributes:
        entries: the photos, in the order of the draw.
        sha256: of manifest.csv.
        missing: names in manifest.csv whose photos are no longer there.
    """

    entries: tuple[Entry, ...]
    sha256: str
    missing: tuple[str, ...] = ()

    def of(self, split: str, limit: int | None = None) -> list[Entry]:
        """The first `limit` entries of a split, in the order of the draw; 'all' is every split."""
        return [e for e in self.entries if split in ("all", e.split)][:limit]

    def counts(self) -> dict[str, int]:
        """Photos in each split."""
        return {s: sum(e.split == s for e in self.entries) for s in SPLITS}

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes of the training photos in order of name; none where there are not two to tell apart."""
        found = sorted({e.photo.label for e in self.entries if e.split == "train"} - {""})
        return tuple(found) if len(found) > 1 else ()

    def write(self, path: Path) -> None:
        """Write manifest.csv."""
        write_text(path, _to_csv(self.entries))


def read_manifest(path: Path, listing: Listing) -> Manifest:
    """Read a manifest and find its photos in a listing.

    Raises:
        UserError: the file is no manifest, or none of its photos is in the listing.
    """
    rows = read_csv(path)
    if not rows or set(COLUMNS) - set(rows[0]) or any(r["split"] not in SPLITS for r in rows):
        raise UserError(f"{path} is not a manifest: train again, or name another --run_dir")
    at = {photo.name: photo for photo in listing.photos}
    entries = tuple(Entry(r["split"], at[r["name"]], r["sha256"]) for r in rows if r["name"] in at)
    if not entries:
        raise UserError(
            f"none of the {len(rows)} photos of {path} is in {listing.root}: give the folder that the "
            "run was trained on with --data_dir, or score every photo of this one with --split=all"
        )
    missing = tuple(r["name"] for r in rows if r["name"] not in at)
    return Manifest(entries, sha256(path), missing)


def order(photos: Iterable[Photo], seed: int) -> list[Photo]:
    """Photos by a seeded hash of their group, then of their own name."""

    def key(text: str) -> bytes:
        return hashlib.sha256(f"{seed}\0".encode() + encode(text)).digest()

    return sorted(photos, key=lambda photo: (key(photo.group), key(photo.name)))


def share_out(total: int, ratios: Sequence[float]) -> list[int]:
    """Whole numbers that sum to `total`, by largest remainders, none 0 where its ratio is not.

    Raises:
        UserError: `total` is smaller than the number of ratios above 0.
    """
    wanted = sum(ratio > 0 for ratio in ratios)
    if total < wanted:
        raise UserError(f"{total} photos are too few for {wanted} splits: add photos, or set --split_ratio")
    ratios = [ratio / sum(ratios) for ratio in ratios]
    # Rounded, because 0.15 * 20 is 3.0000000000000004 in binary and 0.7 * 10 is 7.000000000000001.
    exact = [round(total * ratio, 9) for ratio in ratios]
    counts = [int(share) for share in exact]
    by_remainder = sorted(range(len(ratios)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    for i, ratio in enumerate(ratios):
        if ratio > 0 and counts[i] == 0:
            counts[counts.index(max(counts))] -= 1
            counts[i] = 1
    return counts


def draw(
    listing: Listing,
    *,
    seed: int,
    subset_size: int | None,
    ratios: Sequence[float],
    max_pixels: int,
    max_rejected: float,
    num_workers: int,
    rejected_path: Path | None,
    as_is: bool = False,
    seen: Mapping[str, tuple[str, str]] | None = None,
) -> Manifest:
    """Draw the subset and split it. Unreadable and gray photos are replaced by the next in order.

    Args:
        listing: where to draw from.
        seed: of the order.
        subset_size: photos to draw; fewer are in the folder: all of them. None: all.
        ratios: shares of train, val and test.
        max_pixels: larger photos count as unreadable.
        max_rejected: largest share of unreadable and gray photos among those looked at.
        num_workers: decoding threads, 0 for one per core.
        rejected_path: where the photos left out are listed; None: nowhere.
        as_is: gray photos and copies are kept too.
        seen: where all photos were looked at already, name -> SHA-256, '' where it is unreadable, and why it
            is no use, or ''.
    Raises:
        UserError: too many photos rejected, or too few left for the splits.
    """
    wanted = min(subset_size or len(listing.photos), len(listing.photos))
    kept: list[tuple[Photo, str]] = []
    rejected: list[Rejected] = []
    first: dict[tuple[str, object], str] = {}
    num_bad = 0

    bar = progress_bar("checking photos", wanted)
    candidates = order(listing.photos, seed)

    def look(photo: Photo) -> tuple[str, str]:
        return _inspect(photo, max_pixels, as_is) if seen is None else seen[photo.name]

    with bar:
        for photo, (digest, reason) in each(candidates, look, num_workers):
            original = first.setdefault((digest, photo.box), photo.name) if digest else photo.name
            if original != photo.name and not as_is:
                rejected.append(Rejected(photo.name, f"copy of {original}", is_copy=True))
            elif reason:
                rejected.append(Rejected(photo.name, reason))
                num_bad += 1
            else:
                kept.append((photo, digest))
                bar.update()
            # Even if every photo still to come were good, the share would stay too large.
            if len(kept) == wanted or num_bad > max_rejected * (wanted + num_bad):
                break

    where = ""
    if rejected_path is not None:
        if world().is_main:
            write_csv(rejected_path, [vars(r) for r in rejected], ("name", "reason"))
        where = f", listed in {rejected_path}"
    looked_at = len(kept) + num_bad
    if num_bad > max_rejected * looked_at:
        raise UserError(
            f"{num_bad} of the first {looked_at} photos of {listing.root} are unreadable or gray"
            f"{where} (first: {next(r.reason for r in rejected if not r.is_copy)}): "
            "mend the folder or raise --max_rejected"
        )
    if rejected:
        num_copies = len(rejected) - num_bad
        print(f"left out: {num_bad} unreadable or gray photos, {num_copies} copies{where}")
    entries = tuple(_assign(kept, ratios))
    digest = hashlib.sha256(_to_csv(entries).encode("utf-8", "surrogateescape")).hexdigest()
    return Manifest(entries, digest)


def _to_csv(entries: Sequence[Entry]) -> str:
    rows = [
        {"split": e.split, "name": e.photo.name, "label": e.photo.label, "sha256": e.sha256} for e in entries
    ]
    return csv_text(rows, COLUMNS)


def _assign(kept: Sequence[tuple[Photo, str]], ratios: Sequence[float]) -> Iterator[Entry]:
    """Share the groups out over the splits, in the order in which they were drawn."""
    groups = [list(members) for _, members in itertools.groupby(kept, key=lambda k: k[0].group)]
    counts = share_out(len(groups), ratios)
    splits = itertools.chain.from_iterable(
        itertools.repeat(split, count) for split, count in zip(SPLITS, counts, strict=True)
    )
    for split, members in zip(splits, groups, strict=True):
        for photo, digest in members:
            yield Entry(split, photo, digest)


def _inspect(photo: Photo, max_pixels: int, gray_too: bool) -> tuple[str, str]:
    """(SHA-256 of the file, or '' if it is unreadable; why it is no use, or '')."""
    digest, pixels, reason = read(photo, max_pixels)
    if pixels is not None and not gray_too:
        reason = fault_of(photo, pixels)
    return digest, reason
