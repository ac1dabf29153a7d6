"""Check --prompt, a person's description of a photo in words, before any work is done."""

from __future__ import annotations

import logging

from checkpoint.file import LoadedModel
from config import Config
from core.errors import UserError

log = logging.getLogger(__name__)


def check_prompt(config: Config, loaded: LoadedModel | None) -> None:
    """Warn of words of --prompt that the model does not know.

    Raises:
        UserError: there is no model, or it takes no words.
    """
    if config.prompt is None:
        return
    if loaded is None:
        raise UserError(f"--model={config.model} takes no model: leave --prompt out")
    if "prompt" not in loaded.model.accepts:
        raise UserError(f"--prompt: {loaded.name} takes no words: leave it out")
    if unknown := loaded.model.unknown_words(config.prompt):
        log.warning("--prompt: %s has not learnt %s", loaded.label, ", ".join(dict.fromkeys(unknown)))
