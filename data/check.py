"""The check mode: inspect a training folder and report its contents and faults. Nothing is deleted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from config import Config
from core.distributed import world
from core.errors import UserError
from core.figures import progress_bar
from core.files import check_writable, write_csv, write_json
from data.findings import Finding, inspect_photo
from data.inspection import each
from data.listing import Listing, list_folder
from data.near import groups_of, near_duplicates
from data.pipeline import open_listing
from data.split import draw_manifest

COLUMNS = (
    *("name", "split", "class", "width", "height", "kind", "border"),
    *("unreadable", "copy_of", "near_group", "leak_of"),
)
_RUN_DIR = Path("runs/check")


@dataclass(frozen=True)
class Checked:
    """The photos of a folder, and the findings on them.

    Attributes:
        listing: the photos, in order of name.
        findings: one per photo, in that order.
    """

    listing: Listing
    findings: tuple[Finding, ...]


def run(config: Config) -> int:
    """Inspect every photo of --data_dir, print a summary, and write check.csv and check.json.

    Returns:
        0.
    Raises:
        UserError: a folder is missing or holds no photo, or the output folder cannot be written.
    """
    listing = open_listing(config)
    test = list_folder(config.test_dir, "test_dir") if config.test_dir else None
    folder = config.run_dir or _RUN_DIR
    if config.dry_run:
        num = len(listing.photos) + (len(test.photos) if test else 0)
        print(f"would look into {num} photos and write {folder / 'check.csv'} and {folder / 'check.json'}")
        return 0
    if world().is_main:
        check_writable(folder)
    start = time.monotonic()
    checked = _inspect(config, listing)
    tested = _inspect(config, test) if test else None
    rows, groups = tabulate(checked, tested, _splits(config, checked))
    summary = count_findings(rows, groups)
    if world().is_main:
        write_csv(folder / "check.csv", rows, COLUMNS)
        write_json(folder / "check.json", {"data_dir": listing.root, **summary, "near_groups": groups})
        _print(listing.root, summary, time.monotonic() - start, has_test=tested is not None)
        print(f"{folder / 'check.csv'} says it of every photo, {folder / 'check.json'} has the groups")
    return 0


def _inspect(config: Config, listing: Listing) -> Checked:
    inspect = partial(inspect_photo, max_pixels=config.max_pixels)
    findings = []
    with progress_bar("looking at photos", len(listing.photos)) as bar:
        for _, finding in each(listing.photos, inspect, config.num_workers):
            findings.append(finding)
            bar.update()
    return Checked(listing, tuple(findings))


def _splits(config: Config, checked: Checked) -> dict[str, str]:
    """Name -> split that a training with these settings would draw; empty if the photos are too few."""
    photos = checked.listing.photos
    seen = {photo.name: (f.sha256, f.fault) for photo, f in zip(photos, checked.findings, strict=True)}
    try:
        manifest = draw_manifest(
            checked.listing,
            seed=config.seed,
            subset_size=config.subset_size,
            ratios=config.split_ratio,
            max_pixels=config.max_pixels,
            max_rejected=1,
            num_workers=config.num_workers,
            rejected_path=None,
            seen=seen,
        )
    except UserError:
        return {}
    return {entry.photo.name: entry.split for entry in manifest.entries}


def tabulate(
    checked: Checked, tested: Checked | None, splits: dict[str, str]
) -> tuple[list[dict[str, Any]], list[list[str]]]:
    """Build a row of `COLUMNS` for every photo, and the groups of names of near-duplicates.

    Args:
        checked: the training folder.
        tested: a test folder; training photos that are also in it are leaks.
        splits: name -> split.
    """
    rows = []
    first: dict[tuple[str, object], str] = {}
    for photo, found in zip(checked.listing.photos, checked.findings, strict=True):
        original = first.setdefault((found.sha256, photo.box), photo.name) if found.sha256 else photo.name
        row: dict[str, Any] = {"name": photo.name, "split": splits.get(photo.name, ""), "class": photo.label}
        row |= {"width": found.size[0], "height": found.size[1], "kind": found.kind}
        row |= {"border": "yes" if found.has_border else "", "near_group": "", "leak_of": ""}
        row |= {"unreadable": "" if found.kind else found.fault}
        rows.append(row | {"copy_of": "" if original == photo.name else original})
    num = len(rows)
    both = zip(tested.listing.photos, tested.findings, strict=True) if tested else ()
    copies = {(found.sha256, photo.box): photo.name for photo, found in both}
    within, across = _near([*checked.findings, *(tested.findings if tested else ())], num)
    for index, other in across:
        assert tested is not None
        rows[index]["leak_of"] = tested.listing.photos[other - num].name
    # Photos too uniform for the near-duplicate search are still matched by their bytes.
    for row, photo, found in zip(rows, checked.listing.photos, checked.findings, strict=True):
        if found.kind:
            row["leak_of"] = copies.get((found.sha256, photo.box), row["leak_of"])
    groups = groups_of(np.array(within, np.int64).reshape(-1, 2), num)
    for number, members in enumerate(groups, start=1):
        for index in members:
            rows[index]["near_group"] = number
    return rows, [[rows[index]["name"] for index in members] for members in groups]


def _near(findings: Sequence[Finding], num: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Find index pairs of near-duplicates, exact copies included.

    Photos with equal marks are searched for once, as a folder may hold thousands of copies of a placeholder:
    each is paired with the first of them only.

    Args:
        findings: of the training photos, then of the test photos.
        num: of the training photos.
    Returns:
        Pairs of training photos, whose connected components are the groups; and for every training photo
        that has a near-duplicate among the test photos, a pair with one of them.
    """
    equal: dict[bytes, tuple[list[int], list[int]]] = {}
    for index, finding in enumerate(findings):
        if finding.marks:
            key = b"".join(mark.tobytes() for mark in finding.marks)
            equal.setdefault(key, ([], []))[index >= num].append(index)
    if not equal:
        return [], []
    sets = list(equal.values())
    marks = (findings[(train or test)[0]].marks for train, test in sets)
    hashes, copies = (np.stack(part) for part in zip(*marks, strict=True))
    within = [(train[0], copy) for train, _ in sets for copy in train[1:]]
    across = [(index, test[0]) for train, test in sets if test for index in train]
    for first, second in near_duplicates(hashes, copies).tolist():
        (train, test), (other_train, other_test) = sets[first], sets[second]
        if train and other_train:
            within.append((train[0], other_train[0]))
        across += [(index, other_test[0]) for index in train if other_test]
        across += [(index, test[0]) for index in other_train if test]
    return within, across


def count_findings(rows: Sequence[dict[str, Any]], groups: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Summarize the rows and groups of `tabulate` as counts, for check.json."""
    sides = [min(row["width"], row["height"]) for row in rows if row["kind"]] or [0]
    split_of = {row["name"]: row["split"] for row in rows}
    across = [group for group in groups if len({split_of[name] for name in group} - {""}) > 1]
    return {
        "photos": len(rows),
        "unreadable": sum(bool(row["unreadable"]) for row in rows),
        "kinds": dict(Counter(row["kind"] for row in rows if row["kind"])),
        "borders": sum(bool(row["border"]) for row in rows),
        "copies": sum(bool(row["copy_of"]) for row in rows),
        "near_duplicates": {
            "groups": len(groups),
            "photos": sum(map(len, groups)),
            "groups_across_splits": len(across),
        },
        "leaks": sum(bool(row["leak_of"]) for row in rows),
        "short_side": {f"p{q}": int(np.percentile(sides, q)) for q in (0, 5, 50, 95, 100)},
        "classes": dict(Counter(row["class"] for row in rows if row["class"]).most_common()),
        "splits": dict(Counter(row["split"] for row in rows if row["split"])),
    }


def _print(root: str, summary: dict[str, Any], seconds: float, *, has_test: bool) -> None:
    near, sides, classes = summary["near_duplicates"], summary["short_side"], summary["classes"]
    print(f"{root}: {summary['photos']} photos, looked at in {seconds:.0f} s")
    kinds = {"color": "in colour", "gray": "gray", "toned": "in one hue"}
    print("  " + ", ".join(f"{summary['kinds'].get(k, 0)} {words}" for k, words in kinds.items()), end="")
    print(f", {summary['unreadable']} unreadable, {summary['borders']} with a border")
    print(
        f"  {summary['copies']} copies, {near['groups']} groups of {near['photos']} near-duplicates, "
        f"{near['groups_across_splits']} groups in several splits",
        end=f", {summary['leaks']} of --test_dir too\n" if has_test else "\n",
    )
    print("  short side: {p0} to {p100} pixels, median {p50}".format(**sides))
    if classes:
        numbers = list(classes.values())
        print(f"  {len(classes)} classes of {min(numbers)} to {max(numbers)} photos")
