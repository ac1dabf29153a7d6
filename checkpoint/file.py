"""Weights that describe themselves (.safetensors), and plain state dicts (.pth)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from checkpoint.shipped import check_shipped
from checkpoint.state_dict import check_state, read_state_and_metadata
from core.errors import UserError
from core.files import sha256, write_bytes
from core.runs import BEST
from models.base import ColorizationModel
from models.registry import MODELS, build_model

FORMAT = 1
_METADATA_KEY = "colorizer"


@dataclass(frozen=True)
class LoadedModel:
    """A model rebuilt from a file, in evaluation mode on the CPU.

    Attributes:
        model: the model.
        name: its key in `MODELS`.
        path, sha256: of the file.
        info: other metadata of the file: image_size, resize, training, validation, manifest_sha256, versions;
            for shipped weights also data, terms and metrics. Empty for a plain state dict.
    """

    model: ColorizationModel
    name: str
    path: Path
    sha256: str
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """A short name: that of the file, or of its folder if it is the best checkpoint of a run."""
        return self.path.absolute().parent.name if self.path.name == BEST else self.path.stem


def save_weights(path: Path, name: str, model: ColorizationModel, info: dict[str, Any]) -> None:
    """Write a self-describing .safetensors file atomically.

    Args:
        path: of the file to write.
        name: key of the model in `MODELS`.
        model: its whole state dict is saved, frozen weights included.
        info: JSON values to store as metadata.
    """
    tensors = {k: v.detach().cpu().contiguous() for k, v in model.state_dict().items()}
    about = {"format": FORMAT, "model": name, "settings": vars(model.settings), "info": info}
    # One metadata entry: safetensors writes several in no fixed order, but equal runs must give equal bytes.
    write_bytes(path, safetensors.torch.save(tensors, {_METADATA_KEY: json.dumps(about)}))


def load_weights(
    path: Path, *, name: str | None = None, settings: dict[str, Any] | None = None, may_extend: bool = False
) -> LoadedModel:
    """Rebuild a model from a file.

    Args:
        path: .safetensors written here, or a .pth state dict with the reference's keys.
        name: the requested model; None: the one that the file names or its keys fit.
        settings: model settings that override the file's.
        may_extend: also accept weights of the model that the requested one extends.
    Raises:
        UserError: unreadable, of another model, or of other shapes; the message names the difference.
    """
    state, metadata = read_state_and_metadata(path)
    digest = sha256(path)
    check_shipped(path, digest)
    found, stored, info = _describe(path, state, metadata)
    extended = MODELS[name].extends if name is not None and may_extend else ""
    if name is not None and found not in (None, name) and found != extended:
        raise UserError(f"weights {path} are of {found}, not of {name}: use --model={found}")
    name = name or found
    if name is None:
        raise UserError(
            f"weights {path} do not say of which model they are, and fit none as it is by default: name it "
            "with --model=NAME, and its settings, such as --encoder=NAME"
        )
    settings = settings or {}
    model = build_model(name, **{**stored, **settings})
    if found == extended:
        state = {**model.state_dict(), **state}
    try:
        check_state(state, model.state_dict(), f"weights {path}", name)
    except UserError as error:
        # Settings may be overridden, except those that the shapes depend on.
        for key in settings:
            if settings[key] != stored.get(key, settings[key]):
                flag = f"--{key}={settings[key]}"
                raise UserError(f"{flag}: weights {path} are of {stored[key]}: leave it out") from error
        raise
    model.load_state_dict(state)
    model.clamp_()
    for key, value in model.state_dict().items():
        if not torch.equal(value, state[key].to(value.dtype)):
            raise UserError(f"weights {path} are damaged: {key} is outside its domain")
    return LoadedModel(model.eval(), name, path, digest, info)


def _describe(
    path: Path, state: dict[str, Tensor], metadata: dict[str, str]
) -> tuple[str | None, dict[str, Any], dict[str, Any]]:
    """Parse (model, settings, info) from the metadata of a file, or else from the keys of its state dict."""
    if _METADATA_KEY not in metadata:
        return (*recognize(state), {})
    try:
        about = json.loads(metadata[_METADATA_KEY])
        if about["format"] > FORMAT:
            raise UserError(f"weights {path} are of a newer version of this program: update it")
        found, settings, stored = str(about["model"]), dict(about["settings"]), dict(about["info"])
        return found, settings, stored
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"weights {path} do not describe themselves: get an intact copy") from error


def recognize(state: dict[str, Tensor]) -> tuple[str | None, dict[str, Any]]:
    """The model that has these state dict keys, or None, and the settings that fit the tensors."""
    for name, model in MODELS.items():
        settings = model.settings_of(state)
        if settings is not None:
            return name, settings
    return None, {}
