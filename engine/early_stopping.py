"""Which epoch of a training was the best, and whether the training is over."""

from __future__ import annotations

from config import Config
from engine.history import History


def best_epoch(history: History, *, by_loss: bool = True) -> int:
    """The first epoch of the lowest validation loss, or not by that: the last one; 0 before any."""
    if not by_loss:
        return len(history)
    return int(min(history, key=lambda row: row["val_loss"], default={"epoch": 0})["epoch"])


def is_finished(history: History, config: Config, *, by_loss: bool = True) -> bool:
    """Whether all epochs are done, or `patience` of them passed without a better one."""
    epoch = len(history)
    return epoch >= config.epochs or epoch - best_epoch(history, by_loss=by_loss) >= config.patience
