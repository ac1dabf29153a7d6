"""Who may import whom: never a higher floor, never in a circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from models.registry import MODELS

ROOT = Path(__file__).parent.parent
ROOMS = (
    "core",
    "media",
    "data",
    "models",
    "checkpoint",
    "scoring",
    "engine",
    "inference",
    "video",
    "web",
    "benchmarks",
)
FLOORS = [
    {"core", "config", "data.color", "data.batch", "engine.recipes", "engine.schedule", "metrics"},
    {"media", "checkpoint.state_dict", "checkpoint.pretrained"},
    {"models", "data"},
    {"checkpoint", "scoring"},
    {"inference", "engine"},
    {"video", "evaluate", "data.check", "data.findings"},
    {"train", "predict", "compare", "export", "web"},
    {"main", "benchmarks"},
]
# The models' only sight of the data: what a batch is, the colour scales, and hints made of true colours.
MODELS_MAY_USE = {"data.color", "data.batch", "data.simulated_hints"}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules() -> dict[str, Path]:
    folders = ROOMS
    files = [*ROOT.glob("*.py"), *(f for folder in folders for f in (ROOT / folder).rglob("*.py"))]
    return {name_of(path): path for path in files}


def imports(path: Path, known: set[str]) -> set[str]:
    """Modules of the project that a file imports, lazily or not; `main` names its modes as strings."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found & known


def floor(module: str) -> int:
    for depth in (module, module.partition(".")[0]):
        for number, members in enumerate(FLOORS):
            if depth in members:
                return number
    raise AssertionError(f"{module} stands on no floor")


GRAPH = {name: imports(path, set(modules())) - {name} for name, path in modules().items()}


@pytest.mark.parametrize("module", GRAPH)
def test_no_upward_import(module):
    upward = {other for other in GRAPH[module] if floor(other) > floor(module)}
    assert not upward


@pytest.mark.parametrize("module", [m for m in GRAPH if m.partition(".")[0] == "models"])
def test_models_do_not_know_the_data_path(module):
    assert {m for m in GRAPH[module] if m.startswith("data.")} <= MODELS_MAY_USE


def test_the_top_holds_modes_alone():
    """A reader finds a file by its room; what lies at the top is a mode, or fixed by the command line."""
    at_top = {path.stem for path in ROOT.glob("*.py")}
    assert at_top == {"main", "config", "metrics", "train", "evaluate", "predict", "compare", "export"}


def test_no_circle():
    # A package's __init__ runs before its members, so importing a member of one's own is no circle.
    graph = {m: {o for o in others if o != m.partition(".")[0]} for m, others in GRAPH.items()}
    TopologicalSorter(graph).prepare()


def test_no_model_name_outside_the_registry():
    for name, path in modules().items():
        if name.startswith("models"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                constants = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
                assert not set(MODELS) & set(constants), f"{name} asks for a model"
