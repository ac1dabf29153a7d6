"""What depends on the machine: compiling, and what happens where it does not work."""

import pytest
import torch
from conftest import small_model
from torch.utils._pytree import tree_leaves

from core.device import compile_if_possible, in_float32, one_thread
from models.registry import build_model


@pytest.fixture
def broken_compiler(monkeypatch):
    """torch.compile as it is on a machine without a C++ compiler."""

    def compile(model):
        def run(*_):
            raise RuntimeError("No working C++ compiler found\nand a long explanation")

        return run

    monkeypatch.setattr(torch, "compile", compile)


def test_without_a_compiler(broken_compiler, caplog):
    model = build_model("model1")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    compile_if_possible(model, 32, torch.device("cpu"))
    assert "left out (No working C++ compiler found)" in caplog.text
    assert model(torch.rand(2, 1, 32, 32)).shape == (2, 2, 32, 32)
    for name, value in model.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            continue
        assert value == before[name] + 1  # by the call above, not by the trial


@pytest.mark.parametrize("name", ["model1", "unet"])  # one tensor, and a tuple of several or None
def test_compiled_is_the_same(monkeypatch, name):
    """With the compiler that takes no time: what is tested is that ours is put to use."""
    compile = torch.compile
    monkeypatch.setattr(torch, "compile", lambda model: compile(model, backend="eager"))
    model = small_model(name).eval()
    L = 100 * torch.rand(2, 1, 32, 32)
    expected = model(L)
    called = []
    monkeypatch.setattr(model, "compile", lambda: called.append(1))
    compile_if_possible(model, 32, torch.device("cpu"))
    assert called
    for ours, theirs in zip(tree_leaves(model(L)), tree_leaves(expected), strict=True):
        assert theirs is None or torch.equal(ours, theirs)


def test_one_thread_is_for_a_block_alone():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with one_thread() as num:
            assert (num, torch.get_num_threads()) == (3, 1)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_in_float32():
    with in_float32():
        assert torch.zeros(1).dtype == torch.float32
    torch.set_default_dtype(torch.float64)
    try:
        with in_float32():
            assert torch.zeros(1).dtype == torch.float32
        assert torch.zeros(1).dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
