"""Which metrics a set of images gets, on which reference."""

import math

import numpy as np
import pytest

from guidebench.metrics.frechet import Reference, moments
from guidebench.metrics.score import Real, Row, Scorer, Scores

BLOCKS = 4
ACCURACIES = {f"accuracy_{who}" for who in ("guide", "clean", "robust", "judge")}


def _set(count: int, seed: int, extractors: tuple[str, ...] = ("judge",)) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    features = {f"hidden:{name}": chance.normal(size=(count, 5)) + labels[:, None]
                for name in extractors}  # fmt: skip
    classes = {
        f"predicted:{name}": chance.integers(0, 3, count) for name in ("clean", "judge", "robust")
    }
    classes["probabilities:judge"] = chance.dirichlet(np.ones(3), count)
    return {"labels": labels, "diverged": np.zeros(count, bool), **features, **classes}


def _real(extractors: tuple[str, ...] = ("judge",)) -> Real:
    sets = {"reference": _set(300, 0), "reference_inception": _set(240, 5, ("inception",)),
            "floor": _set(48, 1, extractors), "floor_target": _set(48, 2, extractors)}  # fmt: skip
    return Real(sets, target=1)


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
    assert set(scores) == {"diverged", *ACCURACIES, "fd_judge", "cfd_judge"}
    reference = _set(300, 0)
    for metric, keep in (("fd_judge", slice(None)), ("cfd_judge", reference["labels"] == 1)):
        direct = Reference(moments(reference["hidden:judge"][keep]))
        expected = direct.distance(moments(found["hidden:judge"]))
        assert scores[metric].value == pytest.approx(expected, rel=1e-10)
        assert scores[metric].n == 48
        assert scores[metric].se > 0
        assert len(scores[metric].replicates) == BLOCKS
    assert scores["fd_judge"].reference.startswith("300 training images")
    assert scores["cfd_judge"].reference.startswith("100 target-class training images")


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
    assert set(_scores(_set(48, 3), target=None)) == {"diverged", "fd_judge"}


def test_floor() -> None:
    scores = {score.metric: score for score in Scorer(_real(), 1, BLOCKS).floor()}
    assert set(scores) == {"fd_judge", "cfd_judge", *ACCURACIES}
    assert all(score.n == 48 for score in scores.values())


def test_long_tables() -> None:
    tables = Scores()
    scorer = Scorer(_real(), 1, BLOCKS)
    for setup, scale in (("unguided", None), ("clean/x0", 3.0)):
        row = Row("mnist", setup, scale, "evaluation", 0)
        tables.extend(row, scorer.score(_set(48, 3), None))
    results, replicates = tables.results(), tables.jackknife()
    assert len(results) == 14
    assert len(replicates) == 14 * BLOCKS
    assert results["scale"].isna().sum() == 7
    assert "replicates" not in results
    assert not results.duplicated(["dataset", "setup", "scale", "split", "metric"]).any()
    first = replicates[(replicates.setup == "clean/x0") & (replicates.metric == "fd_judge")]
    assert first["block"].tolist() == list(range(BLOCKS))
    assert math.isclose(first["scale"].iloc[0], 3.0)
