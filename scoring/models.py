"""Score several models on the same photos in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from core.distributed import gather
from core.errors import UserError
from core.figures import progress_bar
from data.loader import PhotoLoader
from models.base import ColorizationModel
from scoring.samples import draw_samples, score_samples
from scoring.scorecard import score_each
from scoring.sets import SetFeatures

Columns = dict[str, list[float]]
"""Name -> one value per photo."""


@dataclass(frozen=True)
class Scored:
    """Scores of models on the same photos.

    Attributes:
        names: of the photos that could be read.
        columns: model label -> columns of `score_batch`, for a random model also those of `score_samples`.
        features: of the predictions, the floors and the true photos; None: not requested.
    """

    names: list[str]
    columns: dict[str, Columns]
    features: SetFeatures | None = None


@torch.inference_mode()
def score_models(
    models: Mapping[str, ColorizationModel],
    loader: PhotoLoader,
    *,
    num_samples: int = 1,
    features: SetFeatures | None = None,
) -> Scored:
    """Score models, the floor and the oracles on all photos of a loader, split between processes.

    Args:
        models: by label.
        loader: the photos.
        num_samples: per photo, for models that sample their colours; 1: no scores of samples.
        features: collects the features for the set scores; None: none are computed.
    Raises:
        UserError: no photo could be read.
    """
    for model in models.values():
        model.eval().to(loader.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    names: list[str] = []
    scores: dict[str, Columns] = {label: {} for label in models}
    with progress_bar("testing", len(loader)) as bar:
        for batch in loader:
            names += batch.names
            predictions = {label: model.predict(model.inputs(batch)) for label, model in models.items()}
            columns = dict(zip(models, score_each(batch, list(predictions.values())), strict=True))
            for label, model in models.items():
                if model.is_random and num_samples > 1:
                    samples = draw_samples(model, batch, num_samples)
                    columns[label] |= score_samples(batch, samples, features.see if features else None)
                for key, values in columns[label].items():
                    scores[label].setdefault(key, []).extend(values.tolist())
            if features is not None:
                features.add(batch, predictions)
            bar.update(len(batch))
    if features is not None:
        features.gather()
    parts = gather((names, scores))
    names = [name for part, _ in parts for name in part]
    if not names:
        raise UserError("none of the photos to score could be read: see the warnings above")
    return Scored(names, {label: _join([part[label] for _, part in parts]) for label in models}, features)


def _join(parts: list[Columns]) -> Columns:
    """Concatenate the columns of all processes, some of which may have had no photos."""
    keys = next(list(part) for part in parts if part)
    return {key: [value for part in parts for value in part.get(key, ())] for key in keys}
