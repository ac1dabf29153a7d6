"""Find the best epoch of a training, and decide when to stop."""

from __future__ import annotations

from config import Config
from engine.history import History


def best_epoch(history: History, *, by_loss: bool = True) -> int:
    """Return the first epoch of the lowest validation loss, or the last epoch if not `by_loss`; 0: none."""
    if not by_loss:
        return len(history)
    return int(min(history, key=lambda row: row["val_loss"], default={"epoch": 0})["epoch"])


def limits_reached(history: History, config: Config, *, by_loss: bool = True) -> list[str]:
    """Return the settings that end the training now, of 'epochs' and 'patience'; none: it goes on."""
    epoch = len(history)
    reached = {
        "epochs": epoch >= config.epochs,
        "patience": epoch - best_epoch(history, by_loss=by_loss) >= config.patience,
    }
    return [name for name, is_reached in reached.items() if is_reached]


def is_finished(history: History, config: Config, *, by_loss: bool = True) -> bool:
    """Return whether all epochs are done, or the last `patience` of them brought no improvement."""
    return bool(limits_reached(history, config, by_loss=by_loss))
