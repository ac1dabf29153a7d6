"""The history of a training as files: a CSV table, a plot, TensorBoard events."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from core.figures import write_loss_plot
from core.files import write_csv
from core.runs import HISTORY, LOSS_PLOT

History = list[dict[str, Any]]
"""Rows of history.csv."""


class HistoryWriter:
    """Keeps history.csv, loss.png and the events of TensorBoard in a run directory up to date."""

    def __init__(self, run_path: Path) -> None:
        self.run_path = run_path
        # Imported before training: Ctrl-C during this import would surface as another error.
        importlib.import_module("matplotlib.figure")
        self._board: SummaryWriter | None = None

    def write(self, history: History) -> None:
        """Write all rows to the files, and the last to TensorBoard, replacing events from that epoch on."""
        if not history:
            return
        row = history[-1]
        write_csv(self.run_path / HISTORY, history, list(row))
        write_loss_plot(self.run_path / LOSS_PLOT, history)
        if self._board is None:
            self._board = SummaryWriter(str(self.run_path), purge_step=row["epoch"])
        for name, value in row.items():
            self._board.add_scalar(name, value, row["epoch"])

    def close(self) -> None:
        """Close TensorBoard's writer, which flushes the events."""
        if self._board is not None:
            self._board.close()
