"""Named loss terms and how they are put together."""

import pytest
import torch

from errors import UserError
from models.losses import build_criterion


def test_terms_by_hand():
    pred, target = torch.full((1, 2, 4, 4), 32.0), torch.zeros(1, 2, 4, 4)
    terms = build_criterion("mse:2,l1:0.5")(pred, target)
    assert terms["mse"].item() == pytest.approx(2 * 0.25**2)
    assert terms["l1"].item() == pytest.approx(0.5 * 0.25)
    assert build_criterion("mse")(pred, target)["mse"].item() == pytest.approx(0.25**2)


@pytest.mark.parametrize("spec", ["", "huber", "mse,mse", "mse:0", "mse:-1", "mse:x", "mse:inf", "mse;l1"])
def test_wrong_specs_are_named(spec):
    with pytest.raises(UserError, match="--loss="):
        build_criterion(spec)
