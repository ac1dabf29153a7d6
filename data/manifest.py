"""manifest.csv: the stored assignment of photos to splits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from core.errors import UserError
from core.files import csv_text, read_csv, sha256, write_text
from data.listing import Listing, Photo

SPLITS = ("train", "val", "test")
COLUMNS = ("split", "name", "label", "sha256")


@dataclass(frozen=True)
class Entry:
    """One row of the manifest; `sha256` is that of the file's bytes."""

    split: str
    photo: Photo
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The assignment of photos to splits.

    Attributes:
        entries: the photos, in the order of the draw.
        sha256: of manifest.csv.
        missing: names in manifest.csv whose photos are not in the listing.
    """

    entries: tuple[Entry, ...]
    sha256: str
    missing: tuple[str, ...] = ()

    def of(self, split: str, limit: int | None = None) -> list[Entry]:
        """The first `limit` entries of a split, in the order of the draw; 'all' is every split."""
        return [e for e in self.entries if split in ("all", e.split)][:limit]

    def counts(self) -> dict[str, int]:
        """Number of photos in each split."""
        return {s: sum(e.split == s for e in self.entries) for s in SPLITS}

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes of the training photos in order of name; empty if there are fewer than two."""
        found = sorted({e.photo.label for e in self.entries if e.split == "train"} - {""})
        return tuple(found) if len(found) > 1 else ()

    @classmethod
    def of_entries(cls, entries: tuple[Entry, ...]) -> Manifest:
        """Make the manifest of a newly drawn split, with the hash of the file that `write` writes."""
        return cls(entries, hashlib.sha256(_to_csv(entries).encode("utf-8", "surrogateescape")).hexdigest())

    def write(self, path: Path) -> None:
        """Write manifest.csv."""
        write_text(path, _to_csv(self.entries))


def read_manifest(path: Path, listing: Listing, *, advice: str = "") -> Manifest:
    """Read a manifest and find its photos in a listing.

    Args:
        path: of manifest.csv.
        listing: of the photos that there are.
        advice: appended to the error message of a listing without any of its photos.
    Raises:
        UserError: the file is no manifest, or none of its photos is in the listing.
    """
    rows = [row | {"name": _current_name(row["name"])} for row in read_rows(path)]
    at = {photo.name: photo for photo in listing.photos}
    entries = tuple(Entry(r["split"], at[r["name"]], r["sha256"]) for r in rows if r["name"] in at)
    if not entries:
        raise UserError(
            f"none of the {len(rows)} photos of {path} is in {listing.root}: give the folder that the "
            f"run was trained on with --data_dir{advice}"
        )
    missing = tuple(r["name"] for r in rows if r["name"] not in at)
    return Manifest(entries, sha256(path), missing)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read the rows of a manifest, of `COLUMNS`, whether or not there are photos for them.

    Raises:
        UserError: the file is no manifest.
    """
    rows = read_csv(path)
    if not rows or set(COLUMNS) - set(rows[0]) or any(r["split"] not in SPLITS for r in rows):
        raise UserError(f"{path} is not a manifest: train again, or name another --run_dir")
    return rows


def _current_name(name: str) -> str:
    """Manifests of before have the names of photos in tar files as they are there: 'x.tar/./a.png'."""
    return str(PurePosixPath(name))


def _to_csv(entries: Sequence[Entry]) -> str:
    rows = [
        {"split": e.split, "name": e.photo.name, "label": e.photo.label, "sha256": e.sha256} for e in entries
    ]
    return csv_text(rows, COLUMNS)
