"""Locate the weights that ship with the project, and verify their checksums."""

from __future__ import annotations

from pathlib import Path

from core.errors import UserError
from core.runs import BEST

FOLDER = Path(__file__).resolve().parent.parent / "weights"
SUMS = "SHA256SUMS"
DEFAULT = "unet_vivid"
"""Name of the default weights, used if no model and no weights are named and no run has left any."""


def find_weights(weights: Path | None, best: Path | None, name: str) -> Path:
    """Find the weights file to use: the one named, else the run's best, else the shipped one of a model.

    Args:
        weights: a file, the folder of a run, or the name of a shipped file, such as 'model1_vivid'.
        best: path of the run's best checkpoint, which need not exist.
        name: of the model.
    Raises:
        UserError: no file is named, and neither of the others exists.
    """
    if weights is not None:
        shipped = FOLDER / f"{weights}.safetensors"
        if not weights.is_file() and shipped.exists():
            return shipped
        return weights / BEST if weights.is_dir() else weights
    places = [path for path in (best, FOLDER / f"{name}.safetensors") if path is not None]
    for path in places:
        if path.exists():
            return path
    raise UserError(
        f"no weights for {name} (looked for {' and '.join(map(str, places))}): train first with "
        f"--mode=train --model={name}, or name a file with --weights=FILE"
    )


def check_shipped(path: Path, sha256: str) -> None:
    """Verify a shipped file against the committed list of SHA-256 sums; other files pass.

    Raises:
        UserError: the file differs from the committed one.
    """
    sums = FOLDER / SUMS
    if path.resolve().parent != FOLDER or not sums.exists():
        return
    rows = (line.split() for line in sums.read_text(encoding="ascii").splitlines())
    expected = {name: digest for digest, name in rows}.get(path.name)
    if expected not in (None, sha256):
        raise UserError(f"weights {path} are not those of {sums}: get an intact copy with git checkout")
