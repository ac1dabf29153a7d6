"""Recipes: defaults below the flags, the published ones unchanged."""

import pytest

import main
from config import Config
from core.errors import UserError
from engine.recipes import FINE_TUNING_LR, RECIPES, with_recipe


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_a_valid_configuration(name):
    config = main.parse(["--mode=train", f"--recipe={name}"])
    for key, value in RECIPES[name].items():
        assert getattr(config, key) == value
    assert config.given == {"mode", "recipe"}


def test_the_published_recipe_is_the_defaults():
    assert main.parse(["--mode=train", "--recipe=published"]) == Config(
        mode="train", recipe="published", given=frozenset({"mode", "recipe"})
    )
    assert main.parse(["--mode=train"]) == Config(mode="train", given=frozenset({"mode"}))


def test_flags_win():
    config = main.parse(["--mode=train", "--recipe=best", "--batch_size=7", "--schedule=constant"])
    assert (config.batch_size, config.schedule, config.ema) == (7, "constant", RECIPES["best"]["ema"])


def test_fine_tuning_takes_smaller_steps():
    assert with_recipe({"init_weights": "x", "recipe": "best"})["lr"] == FINE_TUNING_LR
    assert with_recipe({"init_weights": "x", "lr": 0.5})["lr"] == 0.5
    assert "lr" not in with_recipe({"recipe": "best"})


def test_unknown_recipe():
    with pytest.raises(UserError, match=r"--recipe=worst: must be one of published, best"):
        main.parse(["--mode=train", "--recipe=worst"])
