"""Validation after every training epoch."""

from __future__ import annotations

import math

import torch

import metrics
from core.device import autocast
from core.distributed import gather, sum_over_processes
from core.errors import UserError
from core.figures import progress_bar
from data.color import cie_chroma, join, lab_to_rgb
from data.loader import PhotoLoader
from engine.guard import DIVERGED
from models.base import ColorizationModel
from models.objective import Objective


@torch.no_grad()
def validate(
    model: ColorizationModel, objective: Objective, loader: PhotoLoader, dtype: torch.dtype
) -> dict[str, float]:
    """Score a model on photos without augmentation; processes share the work and get the same results.

    Args:
        model: on the loader's device; evaluation mode is set and stays set.
        objective: supplies the validation losses.
        loader: of the validation photos.
        dtype: of autocast.
    Returns:
        Means over the photos: val_loss; val_psnr, and val_psnr_gray of the gray photos, in dB, on sRGB after
        clipping; chroma_ratio, mean predicted chroma / mean true chroma.
    Raises:
        UserError: the loss is not finite.
    """
    model.eval()
    objective.eval()
    sums, num_photos = torch.zeros(5, dtype=torch.float32, device=loader.device), 0
    with progress_bar("validating", len(loader)) as bar:
        for batch in loader:
            with autocast(loader.device, dtype):
                losses, ab = objective.validation(model, batch)
            target = lab_to_rgb(join(batch.L, batch.ab))
            gray = lab_to_rgb(join(batch.L, torch.zeros_like(ab)))
            sums += torch.stack(
                (
                    torch.stack(list(losses.values())).sum() * len(batch),
                    metrics.psnr(lab_to_rgb(join(batch.L, ab)), target).sum(),
                    metrics.psnr(gray, target).sum(),
                    cie_chroma(ab).mean(dim=(1, 2)).sum(),
                    cie_chroma(batch.ab).mean(dim=(1, 2)).sum(),
                )
            )
            num_photos += len(batch)
            bar.update(len(batch))
    sums = sum_over_processes(sums) / sum(gather(num_photos))
    loss, psnr, psnr_gray, pred_chroma, true_chroma = sums.tolist()
    if not math.isfinite(loss):
        raise UserError(f"the validation loss is not finite; {DIVERGED}")
    return {
        "val_loss": loss,
        "val_psnr": psnr,
        "val_psnr_gray": psnr_gray,
        "chroma_ratio": pred_chroma / max(true_chroma, 1e-9),
    }
