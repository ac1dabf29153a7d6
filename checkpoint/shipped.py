"""The weights that ship with the project: where they are, and whether a file is intact."""

from __future__ import annotations

from pathlib import Path

from core.errors import UserError
from core.runs import BEST

FOLDER = Path(__file__).resolve().parent.parent / "weights"
SUMS = "SHA256SUMS"
DEFAULT = "unet_vivid"
"""Name of the weights that color photos where nobody names a model or weights, and no run has left any."""


def find_weights(weights: Path | None, best: Path | None, name: str) -> Path:
    """The file to use: the one named, else the run's best, else the one that ships for a model.

    Args:
        weights: a file, the folder of a run, or the bare name of a file that ships, such as 'model1_vivid'.
        best: of the run directory.
        name: of the model.
    Raises:
        UserError: there is none.
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
    """Compare a file that ships with the committed list of SHA-256 sums.

    Raises:
        UserError: it is not the file that was committed.
    """
    sums = FOLDER / SUMS
    if path.resolve().parent != FOLDER or not sums.exists():
        return
    rows = (line.split() for line in sums.read_text(encoding="ascii").splitlines())
    expected = {name: digest for digest, name in rows}.get(path.name)
    if expected not in (None, sha256):
        raise UserError(f"weights {path} are not those of {sums}: get an intact copy with git checkout")
