"""The models by name. A new one is a file beside this one, its settings, and a row here."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from core.errors import UserError
from models.settings import (
    ColTran2021Settings,
    GAESettings,
    Liu2023Settings,
    ModelSettings,
    ResNetBaselineSettings,
    UNetSettings,
    Zhang2016Settings,
    Zhang2017Settings,
)

if TYPE_CHECKING:
    from models.base import ColorizationModel
    from models.objective import Criterion, Objective


class Row(NamedTuple):
    """A model: import paths of its class and of its objective, and its `Settings` class."""

    model: str
    settings: type[ModelSettings] = ModelSettings
    objective: str = "objective.Objective"


_ROWS: dict[str, Row] = {
    "model1": Row("gae.GAE", GAESettings),
    "model2": Row("resnet_baseline.ResNetBaseline", ResNetBaselineSettings),
    "zhang2016": Row("zhang2016.Zhang2016", Zhang2016Settings, "zhang2016.Zhang2016Objective"),
    "iizuka2016": Row("iizuka2016.Iizuka2016", objective="iizuka2016.Iizuka2016Objective"),
    "nazeri2018": Row("nazeri2018.Nazeri2018", objective="nazeri2018.Nazeri2018Objective"),
    "zhang2017": Row("zhang2017.Zhang2017", Zhang2017Settings, "zhang2017.Zhang2017Objective"),
    "coltran2021": Row(
        "coltran2021.ColTran2021", ColTran2021Settings, "coltran_objective.ColTran2021Objective"
    ),
    "unet": Row("unet.UNet", UNetSettings, "unet_objective.UNetObjective"),
    "unet_hints": Row("unet_hints.HintedUNet", UNetSettings, "unet_hints.HintedUNetObjective"),
    "liu2023": Row("liu2023.Liu2023", Liu2023Settings, "liu_objective.Liu2023Objective"),
}

WITHOUT_WEIGHTS = ("levin2004", "irony2005")
"""Names beside those of the models: a solve spreads what a person gives, hints or another photo's colours."""


class Registry(Mapping[str, "type[ColorizationModel]"]):
    """Name -> class; modules are imported lazily, since torch takes seconds."""

    def __getitem__(self, name: str) -> type[ColorizationModel]:
        found: type[ColorizationModel] = _import(_ROWS[name].model)
        return found

    def __contains__(self, name: object) -> bool:
        return name in _ROWS

    def __iter__(self) -> Iterator[str]:
        return iter(_ROWS)

    def __len__(self) -> int:
        return len(_ROWS)


MODELS = Registry()
SETTINGS = {name: row.settings for name, row in _ROWS.items()}
"""Name -> settings, without torch."""


def check_name(name: str) -> None:
    """
    Raises:
        UserError: there is no such model.
    """
    if name not in (*MODELS, *WITHOUT_WEIGHTS):
        raise UserError(f"--model={name}: must be one of {', '.join((*MODELS, *WITHOUT_WEIGHTS))}")


def find_model(name: str) -> type[ColorizationModel]:
    """Return the class of a model.

    Raises:
        UserError: there is no such model, or it has no weights.
    """
    check_name(name)
    if name in WITHOUT_WEIGHTS:
        raise UserError(f"--model={name} has no weights: it is for photos and --mode=predict alone")
    return MODELS[name]


def build_model(name: str, **settings: Any) -> ColorizationModel:
    """Build a model with random weights, in float32.

    `model.load_pretrained()` loads those that training starts from.

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
    from core.device import in_float32  # here, since torch takes seconds

    with in_float32():
        return model(model.Settings(**settings))


def find_objective(name: str) -> type[Objective]:
    """Return the objective class of a model of `MODELS`."""
    found: type[Objective] = _import(_ROWS[name].objective)
    return found


def build_objective(
    name: str, model: ColorizationModel, criterion: Criterion, classes: Sequence[str] = ()
) -> Objective:
    """Build the objective of `model`, a `name` of `MODELS`; see `Objective`."""
    return find_objective(name)(model, criterion, classes)


def _import(path: str) -> Any:
    module, _, name = path.partition(".")
    return getattr(importlib.import_module(f"models.{module}"), name)
