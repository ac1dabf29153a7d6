"""The test mode: score weights on a split, along with the floor and two oracles on the same photos."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from checkpoint.file import LoadedModel
from config import VERSION, Config
from core.device import find_device, reuse_freed_memory
from core.distributed import world
from core.errors import UserError
from core.figures import write_examples
from core.files import read_json, write_csv, write_json
from core.runs import CONFIG, EXAMPLES, MANIFEST
from data.batch import Batch
from data.color import join, lab_to_rgb
from data.loader import PhotoLoader
from data.manifest import Entry, Manifest, read_rows
from data.pipeline import make_loader, open_split
from data.protocols import about_protocol, with_protocol
from inference.weights import choose_weights, describe
from models.base import ColorizationModel
from scoring.models import Scored, score_models
from scoring.samples import SCORES as SAMPLE_SCORES
from scoring.samples import print_samples, summarize_samples
from scoring.scorecard import DEFINITIONS, print_table, summarize
from scoring.sets import SetFeatures, check_enough, features_by_name, print_sets, score_sets

log = logging.getLogger(__name__)

_NUM_EXAMPLES = 6
BATCH_SIZE = {"cpu": 8, "cuda": 32, "mps": 32}
"""Photos scored at a time. A scorecard needs forty maps per photo, which should fit in a CPU's cache."""


def run(config: Config) -> int:
    """Score weights and write metrics.json, per_image.csv and examples.png into the run directory.

    Raises:
        UserError: no weights, no photos, or the run directory cannot be written or holds scores of more.
    """
    device = find_device(config.device)
    reuse_freed_memory()
    loaded, config = choose_weights(with_protocol(config))
    manifest = open_split(config)
    entries = manifest.of(config.split, config.max_photos)
    if config.dry_run:
        print(describe(config, loaded.model))
        print(f"{config.split}: {len(entries)} photos")
        return 0
    warn_of_other_split(loaded, manifest.sha256, config.split)
    suffix = suffix_of(config, entries, [loaded])
    check_not_fewer(config, f"metrics{suffix}.json", len(entries))

    loader = scoring_loader(config, entries, device)
    scored = score_photos({loaded.name: loaded.model}, loader, config)
    if not world().is_main:
        return 0
    names, (scores,) = scored.names, scored.columns.values()
    card = summarize(scores, seed=config.seed) | about(config, manifest, len(names)) | about_weights(loaded)
    card |= more_scores(scored, config)
    print_table(card)
    print_more(card)
    folder = config.run_path
    rows = per_image(names, scores)
    write_csv(folder / f"per_image{suffix}.csv", rows, ["name", *scores])
    captions = {
        row["name"]: f"{_shorten(row['name'])}\n{row['psnr']:.1f} dB (gray {row['gray_psnr']:.1f})"
        for row in rows
    }
    chosen = loader.batch(_choose_examples(scores["psnr"]))
    _draw_examples(folder / f"{EXAMPLES}{suffix}.png", chosen, loaded.model, captions)
    write_json(folder / f"metrics{suffix}.json", card)
    print(f"written to {folder}: metrics{suffix}.json, per_image{suffix}.csv, examples{suffix}.png")
    return 0


def scoring_loader(config: Config, entries: Sequence[Entry], device: torch.device) -> PhotoLoader:
    """Make a loader of the photos to score, with a batch size that suits the device."""
    batch_size = min(config.batch_size, BATCH_SIZE[device.type])
    return make_loader(config.replace(batch_size=batch_size), entries, device)


def score_photos(models: Mapping[str, ColorizationModel], loader: PhotoLoader, config: Config) -> Scored:
    """Score models by `score_models`, with --samples and --set_scores.

    Raises:
        UserError: --samples is 1 or no model draws its colours, there are too few photos for --set_scores,
            or no photo could be read.
    """
    if config.samples and not any(model.is_random for model in models.values()):
        raise UserError(f"--samples={config.samples}: none of these models draws its colours: leave it out")
    for model in models.values() if config.samples else ():
        model.check_drawing()
    if config.samples == 1:
        raise UserError("--samples=1: what tells of several answers needs two or more")
    features = None
    if kind := config.set_scores:
        check_enough(len(loader))
        features = SetFeatures(features_by_name(kind).to(loader.device))
    return score_models(models, loader, num_samples=config.samples or 1, features=features)


def more_scores(scored: Scored, config: Config) -> dict[str, Any]:
    """The entries of metrics.json for --samples and --set_scores."""
    drawn = {label: columns for label, columns in scored.columns.items() if SAMPLE_SCORES[0] in columns}
    card: dict[str, Any] = {}
    if drawn:
        num, seed = config.samples or 1, config.seed
        card["samples"] = {label: summarize_samples(c, num, seed=seed) for label, c in drawn.items()}
    return card | ({"sets": score_sets(scored.features, seed=config.seed)} if scored.features else {})


def print_more(card: Mapping[str, Any]) -> None:
    """Print what `more_scores` returned."""
    if "samples" in card:
        print_samples(card["samples"])
    if "sets" in card:
        print_sets(card["sets"])


def per_image(names: Sequence[str], scores: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    """Make the rows of per_image.csv: name and scores of each photo."""
    return [
        {"name": name, **dict(zip(scores, values, strict=True))}
        for name, values in zip(names, zip(*scores.values(), strict=True), strict=True)
    ]


def about(config: Config, manifest: Manifest, num_photos: int) -> dict[str, Any]:
    """The entries of metrics.json on the photos and on how they were scored."""
    return {
        "num_photos": num_photos,
        "max_photos": config.max_photos,
        "image_size": config.image_size,
        "resize": config.resize,
        "definitions": DEFINITIONS,
        "manifest": {"split": config.split, "sha256": manifest.sha256},
        "version": VERSION,
    } | about_protocol(config)


def about_weights(loaded: LoadedModel) -> dict[str, Any]:
    """The entries of metrics.json on the model and its weights."""
    return {
        "model": loaded.name,
        "settings": vars(loaded.model.settings),
        "weights": {"path": str(loaded.path), "sha256": loaded.sha256},
    }


def suffix_of(config: Config, entries: Sequence[Entry], used: Iterable[LoadedModel]) -> str:
    """Suffix for the names of score files: '_<split>' unless these are test scores, and '_<protocol>'.

    It keeps scores of photos that were used for training or validation apart from test scores.
    """
    leaked = 0
    for folder in {config.run_path, *(loaded.path.parent for loaded in used)}:
        if num := _trained_on(folder, entries):
            leaked += num
            if config.split == "all":
                log.warning("%d of these photos are in the training or validation split of %s", num, folder)
    # The run directory may be that of a training, whose test photos are not all photos of the folder.
    is_other = config.split != "test" and (config.split != "all" or _holds_training(config.run_path))
    split = f"_{config.split}" if is_other or leaked else ""
    return split + (f"_{config.protocol}" if config.protocol else "")


def check_not_fewer(config: Config, name: str, num_photos: int) -> None:
    """Keep the scores of `num_photos` photos from replacing those of more, such as a trial the whole test's.

    Without --max_photos fewer photos are all that there are now, and their scores are those to keep.

    Args:
        config: of the scores.
        name: of their file in the run directory.
        num_photos: number of photos to score.
    Raises:
        UserError: the file that is there is of more photos.
    """
    path = config.run_path / name
    if config.max_photos is None or config.overwrite or not path.exists():
        return
    if (num := read_json(path).get("num_photos", 0)) > num_photos:
        raise UserError(
            f"{path} holds the scores of {num} photos, which those of --max_photos={config.max_photos} "
            "would replace: add --overwrite, or leave --max_photos out"
        )


def _holds_training(folder: Path) -> bool:
    """Whether a folder has a configuration and a manifest of a training, not just a manifest."""
    return (folder / CONFIG).exists() and (folder / MANIFEST).exists()


def _trained_on(folder: Path, entries: Sequence[Entry]) -> int:
    """Number of photos, by hash, that the run in `folder` used for training or validation."""
    if not _holds_training(folder):
        return 0
    seen = {row["sha256"] for row in read_rows(folder / MANIFEST) if row["split"] != "test"}
    return sum(entry.sha256 in seen for entry in entries)


def warn_of_other_split(loaded: LoadedModel, manifest_sha256: str, split: str) -> None:
    """Warn if weights were trained on another manifest than the one of the scored split."""
    trained_on = loaded.info.get("manifest_sha256")
    if split != "all" and trained_on not in (None, manifest_sha256):
        log.warning("%s was trained on another split: it may have seen photos of this one", loaded.path)


def _choose_examples(psnr: Sequence[float]) -> list[int]:
    """Indices spread evenly over the split, equal for every model, and those of the best and worst PSNR."""
    spread = np.linspace(0, len(psnr) - 1, min(_NUM_EXAMPLES, len(psnr))).astype(int).tolist()
    return list(dict.fromkeys([*spread, int(np.argmax(psnr)), int(np.argmin(psnr))]))


@torch.inference_mode()
def _draw_examples(path: Path, batch: Batch, model: ColorizationModel, captions: dict[str, str]) -> None:
    ab = model.predict(model.inputs(batch))
    rows = [_to_pictures(join(batch.L, x)) for x in (torch.zeros_like(ab), ab, batch.ab)]
    examples = zip((captions[name] for name in batch.names), zip(*rows, strict=True), strict=True)
    write_examples(path, list(examples), ("gray", "colored", "truth"))


def _shorten(name: str, length: int = 26) -> str:
    name = name.encode("utf-8", "replace").decode()  # bytes that are not Unicode cannot be drawn
    return name if len(name) <= length else "…" + name[1 - length :]


def _to_pictures(lab: Tensor) -> np.ndarray:
    rgb = lab_to_rgb(lab, gamut="chroma")
    return (rgb * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
