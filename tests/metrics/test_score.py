"""Which metrics a set of images gets, on which reference."""

import math

import numpy as np
import pytest

from guidebench.base.jackknife import blocked, corrected, standard_error
from guidebench.metrics.collected import Row, Scores
from guidebench.metrics.frechet import Fitted, least_error, moments
from guidebench.metrics.reference import Real
from guidebench.metrics.score import Scorer
from guidebench.metrics.sliced import Sliced
from guidebench.pipeline.errors import UserError

BLOCKS = 4
DISTANCES = {"fd_judge", "sw_judge", "cfd_judge", "csw_judge"}
ACCURACIES = {f"accuracy_{who}" for who in ("guide", "clean", "robust", "judge")}


def _set(count: int, seed: int, extractors: tuple[str, ...] = ("judge",)) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    features = {
        f"hidden:{name}": chance.normal(size=(count, 5)) + labels[:, None] for name in extractors
    }
    classes = {
        f"predicted:{name}": chance.integers(0, 3, count) for name in ("clean", "judge", "robust")
    }
    classes["probabilities:judge"] = chance.dirichlet(np.ones(3), count)
    return {"labels": labels, "diverged": np.zeros(count, bool), **features, **classes}


def _real(extractors: tuple[str, ...] = ("judge",)) -> Real:
    sets = {
        "reference": _set(300, 0),
        "reference_inception": _set(240, 5, ("inception",)),
        "floor": _set(48, 1, extractors),
        "floor_target": _set(48, 2, extractors),
    }
    return Real(sets, target=1)


def _distance(real: np.ndarray, fake: np.ndarray) -> float:
    return Fitted(real, np.zeros(len(real)), 1).distance(moments(fake))


def _scores(found: dict[str, np.ndarray], guide: str | None = None, target: int | None = 1):
    real = _real()
    real.target = target
    found = found | {"labels": np.full(len(found["diverged"]), target or 0)}
    scorer = Scorer(real, target is not None, BLOCKS)
    scores = list(scorer.score(found, guide))
    by_name = {score.metric: score for score in scores}
    assert len(by_name) == len(scores)
    return by_name


def test_values_and_references() -> None:
    found = _set(48, 3)
    scores = _scores(found)
    assert set(scores) == {"diverged", *ACCURACIES, *DISTANCES}
    reference = _set(300, 0)
    for metric, keep in (("fd_judge", slice(None)), ("cfd_judge", reference["labels"] == 1)):
        real = reference["hidden:judge"][keep]
        expected = _distance(real, found["hidden:judge"])
        assert scores[metric].raw == pytest.approx(expected, rel=1e-10)
        assert scores[f"{metric.removesuffix('fd_judge')}sw_judge"].raw == pytest.approx(
            Sliced(real).distance(Sliced(real).project(found["hidden:judge"])), rel=1e-12
        )
        assert scores[metric].features == 5
        assert scores[metric].reference_n == len(real)
        assert scores[metric].n == 48
        assert scores[metric].se > 0
        assert len(scores[metric].replicates) == BLOCKS
    assert scores["fd_judge"].reference.startswith("300 training images")
    assert scores["cfd_judge"].reference.startswith("100 target-class training images")


def test_a_drawn_reference_has_replacement_and_the_samples_number() -> None:
    """The public code draws as many training images as it samples (docs/compat.md)."""
    real = Real({"reference": _set(300, 0)}, 1, drawn=48)
    every = _set(300, 0)["hidden:judge"]
    for conditional, pool in ((False, every), (True, every[1::3])):
        rows, words = real.rows("judge", conditional, drawn=True)
        places = [int(np.flatnonzero((pool == row).all(1))[0]) for row in rows]
        assert len(rows) == 48
        assert len(set(places)) < 48
        assert max(places) > 48
        assert np.array_equal(rows, real.rows("judge", conditional, drawn=True)[0])
        assert words.startswith("draws of ")
    assert real.reference("judge", True, BLOCKS, drawn=True).size == 48
    assert real.reference("judge", True, BLOCKS).size == 100


def test_distances_from_a_drawn_reference_stand_beside_the_others() -> None:
    sets, found = {"reference": _set(300, 0), "floor": _set(40, 5)}, _set(48, 3)
    plain, both = (Scorer(Real(sets, 1, drawn), True, BLOCKS) for drawn in (0, 48))
    for one in (lambda scorer: scorer.score(found, None), lambda scorer: scorer.floor()):
        without, beside = ({score.metric: score for score in one(s)} for s in (plain, both))
        more = {
            name: beside.pop(name) for name in list(beside) if name.endswith("+drawn_reference")
        }
        assert set(beside) == set(without)
        assert all(beside[name].value == without[name].value for name in without)
        assert {name.partition("+")[0] for name in more} == {"fd_judge", "cfd_judge"} & set(without)
        for name, score in more.items():
            assert score.reference_n == 48
            assert score.reference.startswith("48 draws of ")
            assert score.value != without[name.partition("+")[0]].value


def test_value_and_error_count_images_and_reference() -> None:
    """From scratch: blocks of images left out, then blocks of the reference, on all images."""
    found = _set(48, 3)
    found["hidden:judge"] += 1
    score = _scores(found)["fd_judge"]
    real, fake = _set(300, 0)["hidden:judge"], found["hidden:judge"]
    seeds = [_distance(real, fake[blocked(48, BLOCKS) != k]) for k in range(BLOCKS)]
    np.testing.assert_allclose(score.replicates, seeds, rtol=1e-9)
    assert len(score.reference_replicates) == BLOCKS
    assert score.value == pytest.approx(
        corrected(score.raw, score.replicates, score.reference_replicates), rel=1e-12
    )
    both = standard_error(score.replicates, score.reference_replicates)
    assert score.se == pytest.approx(both)
    assert score.se > standard_error(score.replicates)
    assert score.value < score.raw


def test_an_error_is_no_less_than_that_at_distance_zero() -> None:
    """Blocks of the same twelve images: without any one of them nothing changes."""
    found = {key: np.concatenate([rows[:12]] * BLOCKS) for key, rows in _set(48, 3).items()}
    score = _scores(found)["fd_judge"]
    assert standard_error(score.replicates) == pytest.approx(0, abs=1e-9)
    real, fake = _set(300, 0)["hidden:judge"], found["hidden:judge"]
    assert score.se == pytest.approx(least_error(moments(fake), moments(real)))
    assert score.se > standard_error(score.replicates, score.reference_replicates)


def test_the_same_blocks_of_the_reference_are_left_out_of_every_cell() -> None:
    """Two cells that differ by a constant: their replicates differ by nothing else."""
    real = _real()
    scorer = Scorer(real, True, BLOCKS)
    found = _set(48, 3)
    near = found | {"hidden:judge": found["hidden:judge"] + 1e-6}
    one, two = (
        {score.metric: score for score in scorer.score(cell, None)} for cell in (found, near)
    )
    spread = standard_error(
        one["cfd_judge"].reference_replicates - two["cfd_judge"].reference_replicates
    )
    assert spread < 1e-4 * standard_error(one["cfd_judge"].reference_replicates)


def test_images_that_diverged_are_no_features_and_of_no_class() -> None:
    """As if they were not there, but for the blocks, which stay blocks of seeds."""
    found = _set(48, 3)
    found["diverged"][[0, 1, 30]] = True
    for key in ("hidden:judge", "probabilities:judge"):
        found[key][found["diverged"]] = 1e6
    scores = _scores(found)
    kept = found["hidden:judge"][~found["diverged"]]
    assert scores["fd_judge"].raw == pytest.approx(_distance(_set(300, 0)["hidden:judge"], kept))
    assert scores["fd_judge"].n == 45
    rest = found["hidden:judge"][12:][~found["diverged"][12:]]
    expected = _distance(_set(300, 0)["hidden:judge"], rest)
    assert scores["fd_judge"].replicates[0] == pytest.approx(expected)
    assert scores["diverged"].value == 3 / 48
    hits = (found["predicted:judge"] == 1) & ~found["diverged"]
    assert scores["accuracy_judge"].value == hits.mean()


def test_a_cell_of_which_all_diverged_has_no_distance() -> None:
    found = _set(48, 3)
    found["diverged"][:] = True
    found["hidden:judge"][:] = 0  # black pictures
    scores = _scores(found)
    for name in DISTANCES:
        assert math.isnan(scores[name].value)
        assert math.isnan(scores[name].se)
        assert scores[name].n == 0
    assert scores["accuracy_judge"].value == 0


def test_features_that_are_not_finite_are_one_line() -> None:
    found = _set(48, 3)
    found["hidden:judge"][5] = np.nan
    with pytest.raises(UserError, match="features of judge: found 1 of 48 images"):
        _scores(found)
    found["diverged"][5] = True
    assert math.isfinite(_scores(found)["fd_judge"].value)


def test_a_reference_too_small_to_leave_any_out_is_one_line() -> None:
    sets = {"reference": _set(300, 0)}
    sets["reference"]["labels"] = np.where(np.arange(300) < 2, 1, 0)
    scorer = Scorer(Real(sets, target=1), True, BLOCKS)
    with pytest.raises(UserError, match=r"reference: found 2 target-class .* at least 3"):
        list(scorer.score(_set(48, 3), None))
    sets["reference"]["labels"][2] = 1
    scores = {score.metric: score for score in scorer.score(_set(48, 3), None)}
    assert scores["cfd_judge"].reference_n == 3
    assert len(scores["cfd_judge"].reference_replicates) == 3


def test_accuracies_ask_the_guide_or_clean() -> None:
    found = _set(48, 3)
    for guide, asked in ((None, "clean"), ("robust", "robust")):
        scores = _scores(found, guide)
        assert scores["accuracy_guide"].value == (found[f"predicted:{asked}"] == 1).mean()
        assert scores["accuracy_guide"].extractor == asked
        assert scores["accuracy_guide"].value == scores[f"accuracy_{asked}"].value
        assert scores["accuracy_judge"].value == (found["predicted:judge"] == 1).mean()


def test_only_inception_is_called_fid() -> None:
    scores = _scores(_set(48, 3, ("judge", "inception")))
    assert {"fid", "cfid"} <= set(scores)
    assert all(scores[name].extractor == "inception" for name in ("fid", "cfid"))
    assert scores["fid"].reference == "240 training images"
    assert not {"fid", "cfid"} & set(_scores(_set(48, 3)))


def test_without_a_target_there_is_nothing_conditional() -> None:
    assert set(_scores(_set(48, 3), target=None)) == {"diverged", "fd_judge", "sw_judge"}


def test_floor() -> None:
    scores = {score.metric: score for score in Scorer(_real(), 1, BLOCKS).floor()}
    assert set(scores) == {*DISTANCES, *ACCURACIES}
    assert all(score.n == 48 for score in scores.values())


def test_long_tables() -> None:
    tables = Scores()
    scorer = Scorer(_real(), 1, BLOCKS)
    for setup, scale in (("unguided", None), ("clean/x0", 3.0)):
        row = Row("mnist", setup, scale, "evaluation", 0)
        tables.extend(row, scorer.score(_set(48, 3), None))
    results, replicates = tables.results(), tables.jackknife()
    assert len(results) == 18
    assert len(replicates) == 18 * BLOCKS
    assert len(tables.reference()) == 4 * BLOCKS  # both Fréchet distances of both cells
    assert results["scale"].isna().sum() == 9
    assert not {"replicates", "reference_replicates"} & set(results)
    assert not results.duplicated(["dataset", "setup", "scale", "split", "metric"]).any()
    first = replicates[(replicates.setup == "clean/x0") & (replicates.metric == "fd_judge")]
    assert first["block"].tolist() == list(range(BLOCKS))
    assert math.isclose(first["scale"].iloc[0], 3.0)
