"""Words of class names: found again in a state dict, said or not, known or not."""

import torch

from models import words
from models.words import WordEmbedding, split_words


def embedding(*names):
    torch.manual_seed(0)
    found = WordEmbedding(4)
    assert found.learn(names) == []
    return found.requires_grad_(False)


def test_words_of_a_text():
    assert split_words("Red car, dusk") == ["red", "car", "dusk"]
    assert split_words("a/bamboo_forest") == ["a", "bamboo", "forest"]
    assert split_words(" ,") == []


def test_vectors_of_a_text_are_that_of_nothing_and_those_of_its_words():
    layer = embedding("street", "bamboo_forest")
    vectors, there = layer(["", "Forest", "a street in a bamboo forest"])
    rows = layer.vectors.weight
    assert there.tolist() == [[True, False, False, False], [True, True, False, False], [True] * 4]
    assert torch.equal(vectors[0, :1], rows[:1])
    assert torch.equal(vectors[1, :2], rows[[0, 3]])
    assert torch.equal(vectors[2], rows[[0, 1, 2, 3]])
    nothing, mask = layer.nothing(2)
    assert mask is None
    assert torch.equal(nothing, rows[:1].expand(2, 1, 4))


def test_known_and_unknown():
    layer = embedding("street", "bamboo_forest")
    assert layer.known() == ["street", "bamboo", "forest"]
    assert layer.unknown("Red forest, dusk") == ["red", "dusk"]
    assert layer.knows("red forest")
    assert not layer.knows("red car")
    assert not layer.knows("")


def test_the_state_holds_the_words_and_more_are_learnt_behind_them():
    layer = WordEmbedding(4)
    layer.load_state_dict(embedding("street").state_dict())
    before = layer(["street"])[0]
    assert layer.learn(["field", "street", "wide field"]) == []
    assert layer.known() == ["street", "field", "wide"]
    assert torch.equal(layer(["street"])[0], before)


def test_long_words_and_other_scripts():
    long = "ä" * 40
    layer = embedding(long, "京都")
    assert layer.unknown(f"{long} 京都") == []
    assert layer.known() == ["ä" * 16, "京都"]
    assert layer.learn(["ä" * 16, "ä" * 30]) == []


def test_what_there_is_no_room_for_is_told(monkeypatch):
    monkeypatch.setattr(words, "MAX_WORDS", 2)
    assert WordEmbedding(4).learn(["one two", "three"]) == ["three"]
