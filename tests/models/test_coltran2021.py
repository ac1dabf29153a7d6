"""ColTran: causal, the same with a cache and without, its colours those of the photo's seed."""

import pytest
import torch
import torch.nn.functional as F
from conftest import small_model

from data.batch import Batch
from data.color import rgb_to_lab
from models.axial_attention import AxialAttention, LevelEmbedding, Shape
from models.coltran_core import ColorizerCore, draw
from models.coltran_truth import levels_of, mean_levels, truth_of
from models.inputs import Inputs
from models.registry import build_model

SIDE, WIDTH = 5, 8
SHAPE = Shape(WIDTH, 2, SIDE)


@pytest.fixture(scope="module")
def core():
    """Tiny, with layers enough that information could travel everywhere, and no parameter at its start."""
    torch.manual_seed(0)
    core = ColorizerCore(SHAPE, num_encoder=1, num_outer=2, num_inner=2)
    for parameter in core.parameters():
        parameter.data.add_(0.1 * torch.randn(parameter.shape))
    return core.requires_grad_(False)


@pytest.fixture(scope="module")
def photo():
    """(colours, context of the gray photo) of two photos."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.randint(512, (2, SIDE, SIDE), generator=generator)
    return coarse, torch.randn(2, SIDE, SIDE, WIDTH, generator=generator)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return small_model("coltran2021").eval()


def test_causal_by_perturbation(core, photo):
    """The logits up to a pixel, its own too, stay to the bit when its colour changes; all others move."""
    coarse, gray = photo
    before = core(coarse, gray).flatten(1, 2)
    for place in range(SIDE**2):
        changed = coarse.clone()
        changed.flatten(1)[:, place] += 1
        moved = (core(changed % 512, gray).flatten(1, 2) - before).abs().amax(dim=-1)
        assert not moved[:, : place + 1].any()
        assert (moved[:, place + 1 :] > 0).all()


def test_causal_by_gradients(core, photo):
    """Only colours before a pixel, and all of those, have a gradient of its logits."""
    coarse, gray = photo
    colors = core.embed(coarse).requires_grad_()
    hook = core.embed.register_forward_hook(lambda *_: colors)
    logits = core(coarse, gray).flatten(1, 2)
    hook.remove()
    for place in range(SIDE**2):
        weights = torch.linspace(-1, 1, 512)  # a plain sum might be the same for all colours
        (gradient,) = torch.autograd.grad(
            (logits[:, place] * weights).sum(), colors, retain_graph=True, allow_unused=True
        )
        reached = gradient.abs().amax(dim=-1).flatten(1) > 0
        assert reached[:, :place].all()
        assert not reached[:, place:].any()


def test_the_photo_reaches_every_pixel_from_everywhere(core, photo):
    coarse, gray = photo
    gray = gray.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(core(coarse, gray)[:, 0, 0].square().sum(), gray)
    assert (gradient.abs().amax(dim=-1) > 0).all()


def test_cache_draws_what_the_whole_pass_draws(core, photo):
    """The reference looks at the whole picture anew for every pixel."""
    _, gray = photo
    uniform = torch.rand(gray.shape[:3], generator=torch.Generator().manual_seed(2))
    coarse = torch.zeros(gray.shape[:3], dtype=torch.int64)
    for row in range(SIDE):
        for column in range(SIDE):
            logits = core(coarse, gray)[:, row, column]
            coarse[:, row, column] = draw(logits, uniform[:, row, column], 0.7)
    assert torch.equal(core.sample(gray, uniform, 0.7), coarse)
    assert len(coarse.unique()) > SIDE


def test_draw_has_the_distribution():
    p = torch.tensor([0.1, 0.0, 0.6, 0.3])
    uniform = (torch.arange(1000) + 0.5) / 1000
    counts = draw(p.log().expand(1000, 4), uniform, 1.0).bincount(minlength=4)
    assert counts.tolist() == pytest.approx([100, 0, 600, 300], abs=1)
    assert (draw(p.log().expand(1000, 4), uniform, 0.01) == 2).all()
    assert draw(torch.full((1, 3), 0.1), torch.tensor([1 - 2**-24]), 1.0) == 2


@pytest.mark.parametrize("is_column", [False, True])
def test_axial_attention_is_attention_along_a_line(is_column):
    """Worked with a softmax written out, for each line, head and bias of distance."""
    torch.manual_seed(0)
    layer = AxialAttention(SHAPE, is_column=is_column, is_causal=True).requires_grad_(False)
    layer.bias.normal_()
    x = torch.randn(1, SIDE, SIDE, WIDTH)
    lines = x[0].transpose(0, 1) if is_column else x[0]
    expected = torch.empty(SIDE, SIDE, WIDTH)
    for line, tokens in enumerate(lines):
        queries, keys, values = (tokens @ layer.project.weight.T).view(SIDE, 3, 2, 4).unbind(1)
        for place in range(SIDE):
            heads = []
            for head in range(2):
                score = torch.stack(
                    [
                        queries[place, head] @ keys[other, head] / 2 + layer.bias[head, other - place + SIDE]
                        for other in range(place + 1)
                    ]
                ).softmax(dim=0)
                heads.append(score @ values[: place + 1, head])
            expected[line, place] = layer.out.weight @ torch.cat(heads)
    found = layer(x)[0]
    assert torch.allclose(found.transpose(0, 1) if is_column else found, expected, atol=1e-5)


def test_embedding_of_levels_is_that_of_whole_ones_and_the_blend_between():
    layer = LevelEmbedding(4, 2)
    found = layer(torch.tensor([0.0, 3.0, 1.25]))
    weight = layer.weight
    expected = torch.stack((weight[0], weight[3], 0.75 * weight[1] + 0.25 * weight[2]))
    assert torch.allclose(found, expected)


def test_parameters_of_the_paper():
    """Kumar et al. 2021, appendix: 46 million of the colorizer, 14 of each upsampler, 74 together."""
    build_model("coltran2021", preset="small")  # what it imports makes tensors, which must not be on `meta`
    with torch.device("meta"):
        paper = build_model("coltran2021")
    parts = (paper, paper.core, paper.color, paper.spatial)
    millions = [sum(p.numel() for p in part.parameters()) / 1e6 for part in parts]
    assert millions == pytest.approx([74, 46, 14, 14], abs=0.55)


def test_colours_are_float32_in_mixed_precision(model):
    """Drawn or not, and near those of full precision where nothing is drawn."""
    L = torch.linspace(10, 90, 24 * 20).view(1, 1, 24, 20)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        best, drawn = model.predict(Inputs(L)), model.predict(Inputs(L, seeds=torch.tensor([3])))
    assert best.dtype == drawn.dtype == torch.float32
    with torch.no_grad():
        assert (model.predict(Inputs(L)) - best).abs().max() < 1


def test_same_seed_same_bits_on_any_batch_size(model):
    L = 100 * torch.rand(3, 1, 20, 24, generator=torch.Generator().manual_seed(0))
    seeds = torch.tensor([7, 8, 2**61])
    with torch.no_grad():
        together = model.predict(Inputs(L, seeds=seeds))
        for i in range(3):
            alone = model.predict(Inputs(L[i : i + 1], seeds=seeds[i : i + 1]))
            assert torch.equal(alone[0], together[i])
        other = model.predict(Inputs(L[:1], seeds=seeds[1:2]))
    assert together.shape == (3, 2, 20, 24)
    assert not torch.equal(other[0], together[0])


def test_truth_by_hand():
    """Sides of one colour each: levels of 32 values, red first; the channel follows from the seed."""
    rgb = torch.zeros(1, 3, 32, 32)
    rgb[0, :, :, :16] = torch.tensor([255.0, 31.0, 32.0])[:, None, None] / 255
    lab = rgb_to_lab(rgb)
    truth = truth_of(Batch(lab[:, :1], lab[:, 1:], ("a",), seeds=torch.tensor([5])), 16, 32)
    assert truth.coarse.unique(dim=0).shape == (1, 16, 16)
    assert truth.coarse[0, 3].tolist() == [7 * 64 + 0 * 8 + 1] * 8 + [0] * 8
    assert truth.low[0, :, 0, 0].tolist() == [255, 31, 32]
    assert truth.high.shape == (1, 3, 32, 32)
    assert truth.channel.flatten().tolist() == [2]
    assert torch.equal(truth.taught(truth.low), truth.low[:, 2])
    assert levels_of(truth.coarse)[0, :, 0, 0].tolist() == [7, 0, 1]


def test_mean_levels_are_the_levels_where_sure_and_half_way_between_two():
    coarse = torch.tensor([[[0, 511, 7 * 64 + 3 * 8 + 1]]])
    sure = 1e3 * F.one_hot(coarse, 512).float()
    assert torch.allclose(mean_levels(sure), levels_of(coarse))
    between = 1e3 * (F.one_hot(coarse, 512) + F.one_hot(torch.zeros_like(coarse), 512)).clamp(max=1).float()
    assert torch.allclose(mean_levels(between), levels_of(coarse) / 2)


def test_certain_upsamplers_give_the_colour_that_they_name(model):
    """ab come from the RGB of the spatial upsampler, at the size of the photo, whatever L* it has."""
    wanted = torch.tensor([200, 30, 60])
    logits = iter(F.one_hot(wanted, 256).mul(1e3).float()[:, None, None, None])
    hook = model.spatial.register_forward_hook(lambda *_: next(logits).expand(1, 32, 32, 256))
    with torch.no_grad():
        ab = model.predict(Inputs(torch.full((1, 1, 30, 50), 80.0)))
    hook.remove()
    expected = rgb_to_lab((wanted / 255)[None, :, None, None])[:, 1:]
    assert (ab - expected).abs().max() < 1e-3
