"""The models by name. A new one is a file beside this one, its settings, and a row here."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from core.errors import UserError
from models.settings import (
    GAESettings,
    ModelSettings,
    ResNetBaselineSettings,
    UNetSettings,
    Zhang2016Settings,
)

if TYPE_CHECKING:
    from models.base import ColorizationModel

_ROWS: dict[str, tuple[str, type[ModelSettings]]] = {
    "model1": ("gae.GAE", GAESettings),
    "model2": ("resnet_baseline.ResNetBaseline", ResNetBaselineSettings),
    "zhang2016": ("zhang2016.Zhang2016", Zhang2016Settings),
    "iizuka2016": ("iizuka2016.Iizuka2016", ModelSettings),
    "nazeri2018": ("nazeri2018.Nazeri2018", ModelSettings),
    "unet": ("unet.UNet", UNetSettings),
}
"""Name -> module and class, and the class's `Settings`."""

WITHOUT_WEIGHTS = ("levin2004",)
"""Names that stand beside the models': what a person gives is spread by a solve, and there is no network."""


class Registry(Mapping[str, "type[ColorizationModel]"]):
    """Name -> class, whose module is imported when it is asked for: torch takes seconds."""

    def __getitem__(self, name: str) -> type[ColorizationModel]:
        module, _, model = _ROWS[name][0].partition(".")
        found: type[ColorizationModel] = getattr(importlib.import_module(f"models.{module}"), model)
        return found

    def __contains__(self, name: object) -> bool:
        return name in _ROWS

    def __iter__(self) -> Iterator[str]:
        return iter(_ROWS)

    def __len__(self) -> int:
        return len(_ROWS)


MODELS = Registry()
SETTINGS = {name: settings for name, (_, settings) in _ROWS.items()}
"""Name -> settings, without torch."""


def check_name(name: str) -> None:
    """
    Raises:
        UserError: there is no such model.
    """
    if name not in (*MODELS, *WITHOUT_WEIGHTS):
        raise UserError(f"--model={name}: must be one of {', '.join((*MODELS, *WITHOUT_WEIGHTS))}")


def find_model(name: str) -> type[ColorizationModel]:
    """The class of a model.

    Raises:
        UserError: there is no such model, or it is none with weights.
    """
    check_name(name)
    if name in WITHOUT_WEIGHTS:
        raise UserError(f"--model={name} has no weights: it is for photos and --mode=predict alone")
    return MODELS[name]


def build_model(name: str, **settings: Any) -> ColorizationModel:
    """Build a model with random weights; `model.initialize()` gives it those training starts from.

    Args:
        name: a key of `MODELS`.
        settings: fields of the model's own settings; the rest keep their defaults.
    Raises:
        UserError: no such model, no such setting, or a value out of range.
    """
    model = find_model(name)
    known = model.Settings.__dataclass_fields__
    for key in settings:
        if key not in known:
            raise UserError(f"--{key} is not a setting of {name}: leave it out")
    return model(model.Settings(**settings))
