"""SportBalls: independent latents, whole and anti-aliased balls, true stored values."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from guidebench.base.choices import SPORT_BALLS
from guidebench.base.seeds import derive
from guidebench.data.balls import SURFACES, matrices
from guidebench.data.dataset import DataSet
from guidebench.data.sportballs import VALUES, draw, one_draw
from guidebench.pipeline.experiment.sections import SportBallsData

COUNT = 2000
P = 1e-4  # of a false alarm; the seed is fixed, so the outcome is too


def _options(**changes: Any) -> SportBallsData:
    values = {"size": 16, "canvas": 32, "scale": (0.4, 0.8), "poses": 6}
    return SportBallsData(source="sportballs", **values | changes)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def balls() -> DataSet:
    return draw(_options(), COUNT, 3)


@pytest.fixture(scope="module")
def sharp() -> DataSet:
    return draw(_options(size=32, canvas=256, poses=2), 32, 1)


@pytest.fixture(scope="module")
def render() -> Any:
    path = Path(__file__).parents[2] / "benchmarks" / "sportballs.py"
    spec = importlib.util.spec_from_file_location("sportballs_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.render


def test_one_draw_makes_the_class_a_matter_of_the_place() -> None:
    """The public code's: x % 4 == class, and the others are remainders of the same number."""
    options = _options(rotation="in_plane", paper_compat=["one_draw"])
    found = one_draw(COUNT, 3)
    whole = {name: np.floor(found[name] * values) for name, values in VALUES.items()}
    x, y = whole["position"].T
    for name, values in whole.items():
        assert 0 <= values.min() <= values.max() == VALUES[name] - 1
    assert np.array_equal(x % 4, whole["class"])
    assert np.array_equal(whole["angle"] % 4, whole["class"])
    assert np.array_equal(whole["angle"] % 6, whole["scale"])
    assert np.array_equal(whole["scale"] % 2, whole["class"] % 2)
    assert stats.chi2_contingency(np.histogram2d(y % 4, whole["class"], 4)[0]).pvalue > P
    balls = draw(options, 40, 3)
    assert np.array_equal(balls.labels, one_draw(40, 3)["class"] * 4 // 1)
    assert np.array_equal(np.floor(balls.extra["position"][:, 0] * 32) % 4, balls.labels)


def _class_p_value(values: np.ndarray, labels: np.ndarray) -> float:
    """Chi-square p-value that the quarter in which a value lies tells nothing of the class."""
    quarter = np.digitize(values, np.quantile(values, [0.25, 0.5, 0.75]))
    table = np.zeros((4, len(SPORT_BALLS)))
    np.add.at(table, (quarter, labels), 1)
    return float(stats.chi2_contingency(table).pvalue)


def _latents(data: DataSet) -> dict[str, np.ndarray]:
    """The drawn quantities, each a vector [N]; rotations as the view and the angle in the plane."""
    turn = matrices(data.extra["rotation"])
    axis = turn[:, 2]  # the ball's point that faces the viewer: untouched by an in-plane turn
    return {
        "x": data.extra["position"][:, 0],
        "y": data.extra["position"][:, 1],
        "scale": data.extra["scale"],
        "view": axis[:, 2],
        "angle": np.arctan2(turn[:, 1, 0], turn[:, 0, 0]),
    }


def test_classes_are_balanced_and_named(balls: DataSet) -> None:
    assert balls.classes == ["baseball", "basketball", "volleyball", "soccer ball"]
    assert balls.images.shape == (COUNT, 3, 16, 16)
    assert balls.images.dtype == np.uint8
    assert balls.labels.dtype == np.int64
    assert stats.chisquare(np.bincount(balls.labels, minlength=4)).pvalue > P


@pytest.mark.parametrize("name", ["x", "y", "scale", "angle"])
def test_class_is_independent_of(name: str, balls: DataSet) -> None:
    assert _class_p_value(_latents(balls)[name], balls.labels) > P


def test_class_is_independent_of_the_pixel_where_the_ball_lies(balls: DataSet) -> None:
    """The trap of the public code: `x % 4` is the class."""
    for axis in (0, 1):
        table = np.zeros((4, len(SPORT_BALLS)))
        column = np.floor(balls.extra["centre"][:, axis]).astype(int) % 4
        np.add.at(table, (column, balls.labels), 1)
        assert stats.chi2_contingency(table).pvalue > P
        trapped = np.zeros((4, len(SPORT_BALLS)))
        np.add.at(trapped, (column, column), 1)
        assert stats.chi2_contingency(trapped).pvalue < P  # so the test can fail


def test_which_pose_is_drawn_is_independent_of_the_class(balls: DataSet) -> None:
    view = matrices(balls.extra["rotation"])[:, 2].round(4)
    table = []
    for label in range(4):
        _, counts = np.unique(view[balls.labels == label], axis=0, return_counts=True)
        table.append(counts)
    assert [len(counts) for counts in table] == [6] * 4
    for counts in table:
        assert stats.chisquare(counts).pvalue > P


def test_latents_are_independent_of_each_other(balls: DataSet) -> None:
    values = _latents(balls)
    del values["view"]  # one of a few poses, which differ between classes
    names = list(values)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            assert stats.spearmanr(values[first], values[second]).pvalue > P, (first, second)


def test_latents_are_uniform(balls: DataSet) -> None:
    values = _latents(balls)
    assert stats.kstest(values["x"], "uniform").pvalue > P
    assert stats.kstest(values["y"], "uniform").pvalue > P
    assert stats.kstest(values["scale"], "uniform", (0.4, 0.4)).pvalue > P


def test_poses_are_uniform_rotations() -> None:
    many = draw(_options(size=8, canvas=8, poses=300), 800, 0)
    quaternions = many.extra["rotation"]
    np.testing.assert_allclose(np.linalg.norm(quaternions, axis=1), 1, atol=1e-6)
    turn = matrices(quaternions)
    # Archimedes: each coordinate of a uniform direction is uniform
    for row in range(3):
        assert stats.kstest(turn[:, row, 2], "uniform", (-1, 2)).pvalue > P


def test_in_plane_turns_one_pose_per_class_by_every_angle() -> None:
    flat = draw(_options(rotation="in_plane"), 400, 0)
    turn = matrices(flat.extra["rotation"])
    for label in range(4):
        view = turn[flat.labels == label, 2]
        np.testing.assert_allclose(view, view[:1].repeat(len(view), axis=0), atol=1e-5)
    angle = _latents(flat)["angle"]
    for label in range(4):
        share = (angle[flat.labels == label] + np.pi) / (2 * np.pi)
        assert stats.kstest(share, "uniform").pvalue > P


def test_the_seed_decides(balls: DataSet) -> None:
    first, again, other = (draw(_options(), 40, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.images, again.images)
    for name, values in first.extra.items():
        np.testing.assert_array_equal(values, again.extra[name])
        assert not np.array_equal(values, other.extra[name])
    assert not np.array_equal(first.images, other.images)
    assert not np.array_equal(first.labels, other.labels)
    # an image does not depend on how many are drawn
    np.testing.assert_array_equal(first.images, balls.images[:40])


def test_background_is_white_and_the_ball_is_whole(balls: DataSet) -> None:
    pixel = np.arange(16) + 0.5
    x, y = (balls.extra["centre"][:, axis, None, None] for axis in (0, 1))
    radius = balls.extra["scale"] * 8
    away = np.hypot(pixel[None, None, :] - x, pixel[None, :, None] - y)
    outside = away > radius[:, None, None] + 1.5
    assert (balls.images.transpose(0, 2, 3, 1)[outside] == 255).all()
    corners = balls.images[:, :, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners == 255).mean() > 0.99
    for axis in (0, 1):
        assert (balls.extra["centre"][:, axis] >= radius).all()
        assert (balls.extra["centre"][:, axis] <= 16 - radius).all()


def test_edges_are_anti_aliased(sharp: DataSet) -> None:
    """The darkening at the rim, summed, is the ball's area: edge pixels hold their share."""
    options = _options(size=32, canvas=32, poses=2)
    hard = draw(options, 32, 1)
    for image, centre, scale, label in zip(
        sharp.images, sharp.extra["centre"], sharp.extra["scale"], sharp.labels, strict=True
    ):
        if SPORT_BALLS[label] != "basketball":
            continue
        blue = 255 - image[2].astype(float)  # orange has almost none
        pixel = np.arange(32) + 0.5
        away = np.hypot(pixel[None] - centre[0], pixel[:, None] - centre[1]) - scale * 16
        rim = np.abs(away) < 0.5
        assert len(np.unique(blue[rim])) > 10
        assert np.corrcoef(blue[rim], -away[rim])[0, 1] > 0.9
    assert not np.array_equal(hard.images, sharp.images)


def test_images_show_the_stored_class_rotation_scale_and_position(
    sharp: DataSet, render: Any
) -> None:
    """Drawn again from the stored values, straight from the sphere, the picture is the same."""
    for i in range(len(sharp.labels)):
        stored = [sharp.extra[name][i] for name in ("rotation", "centre", "scale")]
        name = SPORT_BALLS[sharp.labels[i]]
        direct = render(name, *stored, 32, 256)
        error = np.abs(direct - sharp.images[i]).mean()
        assert error < 1.5, (i, name)
        turned = np.array([0.0, 0.0, 0.0, 1.0])  # wrong: not the stored rotation
        assert np.abs(render(name, turned, *stored[1:], 32, 256) - sharp.images[i]).mean() > error
        assert np.abs(np.roll(direct, 1, axis=2) - sharp.images[i]).mean() > 2 * error


def test_light_stays_when_the_ball_turns() -> None:
    flat = draw(_options(size=32, canvas=128, rotation="in_plane", scale=(0.8, 0.8)), 64, 0)
    # over turns the pattern averages out, and what is left is the light
    mean = np.mean(
        [
            np.roll(im, (16 - int(c[1]), 16 - int(c[0])), (1, 2))
            for im, c in zip(flat.images, flat.extra["centre"], strict=True)
        ],
        axis=(0, 1),
    )
    assert mean[8:12, 8:12].mean() > mean[20:24, 20:24].mean() + 20


@pytest.mark.parametrize("name", SPORT_BALLS)
def test_surfaces_are_unlike_each_other_and_in_range(name: str) -> None:
    chance = np.random.default_rng(0)
    points = chance.normal(size=(2000, 3)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    colours = SURFACES[name](points)
    assert colours.shape == (2000, 3)
    assert colours.min() >= 0
    assert colours.max() <= 1
    assert len(np.unique(colours, axis=0)) >= 2
    others = [SURFACES[other](points).mean(axis=0) for other in SPORT_BALLS if other != name]
    assert min(np.abs(colours.mean(axis=0) - other).max() for other in others) > 0.04


def test_soccer_ball_is_black_at_the_twelve_corners_only() -> None:
    golden = (1 + 5**0.5) / 2
    corner = np.array([[0, 1, golden], [1, golden, 0], [golden, 0, 1]], dtype=np.float32)
    corner /= np.linalg.norm(corner, axis=1, keepdims=True)
    assert (SURFACES["soccer ball"](corner) < 0.1).all()
    middle = np.ones((1, 3), dtype=np.float32) / 3**0.5  # the middle of a face of the icosahedron
    assert (SURFACES["soccer ball"](middle) > 0.9).all()


PAPER = {"diameters": [9, 12, 16, 19, 22, 25], "offsets": (0, 31), "rotation": "in_plane"}


@pytest.fixture(scope="module")
def paper() -> DataSet:
    return draw(_options(size=64, canvas=64, **PAPER), COUNT, 5)


def test_the_papers_geometry_in_whole_pixels_and_degrees(paper: DataSet) -> None:
    """The law of the public code, each quantity uniform over its values; but independent."""
    width = paper.extra["scale"] * 64
    offset = paper.extra["centre"] - width[:, None] / 2
    turn = np.rad2deg(_latents(paper)["angle"])
    for label in range(4):  # whole degrees, beyond the pose that all balls of a class share
        turns = turn[paper.labels == label]
        steps = turns - turns[0]
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
    quantities = {"scale": width, "x": offset[:, 0], "y": offset[:, 1]}
    allowed = {"scale": PAPER["diameters"], "x": range(32), "y": range(32)}
    for name, values in quantities.items():
        whole = np.round(values).astype(int)
        np.testing.assert_allclose(values, whole, atol=1e-9)
        found, counts = np.unique(whole, return_counts=True)
        assert found.tolist() == list(allowed[name])
        assert stats.chisquare(counts).pvalue > P
        assert _class_p_value(values, paper.labels) > P
    for first, second in (("scale", "x"), ("scale", "y"), ("x", "y")):
        assert stats.spearmanr(quantities[first], quantities[second]).pvalue > P
    for axis in (0, 1):  # the public code's trap
        table = np.zeros((4, 4))
        np.add.at(table, (np.round(offset[:, axis]).astype(int) % 4, paper.labels), 1)
        assert stats.chi2_contingency(table).pvalue > P


def test_the_papers_balls_lie_where_they_are_said_to(paper: DataSet) -> None:
    width = np.round(paper.extra["scale"] * 64).astype(int)
    offset = np.round(paper.extra["centre"] - width[:, None] / 2).astype(int)
    for image, side, (x, y) in zip(paper.images[:200], width, offset, strict=False):
        inside = np.zeros((64, 64), bool)
        inside[y : y + side, x : x + side] = True
        assert (image[:, ~inside] == 255).all()
        assert (image[:, inside] < 255).any()
        for row in (y, y + side - 1):  # it touches its box
            assert (image[:, row] < 255).any()


def test_without_whole_pixels_the_law_is_continuous(balls: DataSet) -> None:
    """Number for number: data sets that were drawn before these keys stay what they are."""
    size, position = (
        np.random.Generator(np.random.Philox(derive(3, name))).random(shape)
        for name, shape in (("scale", COUNT), ("position", (COUNT, 2)))
    )
    scale = 0.4 + (0.8 - 0.4) * size
    np.testing.assert_array_equal(balls.extra["scale"], scale)
    np.testing.assert_array_equal(balls.extra["position"], position)
    centre = scale[:, None] / 2 + position * (1 - scale[:, None])
    np.testing.assert_array_equal(balls.extra["centre"], centre * 16)


def test_the_largest_diameter_may_fill_the_picture() -> None:
    whole = draw(_options(size=16, canvas=32, diameters=[16], offsets=(0, 0)), 8, 0)
    np.testing.assert_allclose(whole.extra["centre"], 8)
    assert np.isfinite(whole.extra["position"]).all()
