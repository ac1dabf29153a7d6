"""The models by name. A new one is a file beside this one and a row here."""

from __future__ import annotations

from typing import Any

from errors import UserError
from models.base import ColorizationModel
from models.gae import GAE
from models.iizuka2016 import Iizuka2016
from models.nazeri2018 import Nazeri2018
from models.resnet_baseline import ResNetBaseline
from models.unet import UNet
from models.zhang2016 import Zhang2016

MODELS: dict[str, type[ColorizationModel]] = {
    "model1": GAE,
    "model2": ResNetBaseline,
    "zhang2016": Zhang2016,
    "iizuka2016": Iizuka2016,
    "nazeri2018": Nazeri2018,
    "unet": UNet,
}


def find_model(name: str) -> type[ColorizationModel]:
    """The class of a model.

    Raises:
        UserError: there is no such model.
    """
    if name not in MODELS:
        raise UserError(f"--model={name}: must be one of {', '.join(MODELS)}")
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
