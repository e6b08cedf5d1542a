"""The smoke experiment end to end: what it leaves behind, and its report in a browser."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from guidebench.report.pages.page import VERDICTS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def test_every_row_has_the_same_n_and_a_standard_error(finished) -> None:
    results = pd.read_parquet(finished.root / "results/smoke/tables/results.parquet")
    scored = results[
        results.metric.isin(
            ["accuracy_guide", "accuracy_judge", "fd_judge", "cfd_judge", "diverged"]
        )
    ]
    assert set(scored[scored.split == "evaluation"].n) == {16}
    assert set(scored[scored.split == "selection"].n) == {8}
    assert (scored.se >= 0).all()
    assert scored.value.notna().all()
    assert {"floor", "unguided", "cfg", "clean/x0+ema0.99"} <= set(results.setup)
    assert not set(results.metric) & {"fid", "cfid"}  # no Inception weights, so nothing named FID


def test_evaluations_per_image_are_counted(finished) -> None:
    results = pd.read_parquet(finished.root / "results/smoke/tables/results.parquet")
    counts = results[results.metric == "denoiser_evaluations"].groupby("setup").value.unique()
    # cfg at weight 0 needs the conditional rows alone
    assert {setup: set(values) for setup, values in counts.items()} == {
        setup: {4.0, 8.0} if setup == "cfg" else {4.0} for setup in counts.index
    }


def test_a_world_is_compared_with_the_truth(finished) -> None:
    truth = pd.read_parquet(finished.root / "results/smoke/tables/truth.parquet")
    found = truth[(truth.metric == "sliced_wasserstein") & (truth.reference == "conditional")]
    cells = found.set_index(["setup", "scale", "sampler"]).value
    # exact classifier at scale 1, cfg at weight 0 and the conditional denoiser are one sampler
    for sampler in ("ancestral", "heun"):
        same = [
            cells["noise_trained/raw", 1.0, sampler],
            cells["cfg", 0.0, sampler],
            found[(found.setup == "conditional") & (found.sampler == sampler)].value.item(),
        ]
        assert max(same) - min(same) < 1e-9
        assert cells["cfg", 2.0, sampler] > 1.5 * max(same)
    # no mean to shift in Heun's method
    shifted = truth[(truth.setup == "clean/x0+mean") & (truth.metric != "rotation")]
    assert set(shifted.sampler) == {"ancestral"}
    evaluations = found[found.setup == "conditional"].set_index("sampler").evaluations
    assert evaluations.to_dict() == {"ancestral": 10.0, "heun": 7.0}
    report = (finished.root / "results/smoke/report.html").read_text()
    assert "two: guidance against the truth" in report
    assert "no bias seen" in report
    figures = {path.stem for path in (finished.root / "results/smoke/figures/two").glob("*.png")}
    assert figures == {
        "truth_classes",
        "truth_densities",
        "truth_scale",
        "truth_evaluations",
        "truth_curl",
    }
    turning = truth[truth.metric == "rotation"].set_index(["reference", "setup", "scale"]).value
    assert turning["exact", "cfg", 2.0] < 1e-10
    assert turning["guidance", "noise_trained/raw", 3.0] < 1e-9 < turning["guidance", "cfg", 2.0]
    assert "Is the guided field a gradient?" in report


def test_every_class_in_turn_with_picture_grids(copy) -> None:
    copy.configure("datasets/mnist/target", "each")
    copy.configure("datasets/mnist/sampling/grid_images", 2)
    copy.configure("datasets/mnist/sampling/grid_setups", ["cfg"])
    assert copy.stale()["sample"] == 3 + 1  # both splits again, pictures; SportBalls untouched
    copy.only("mnist")
    copy.run("--until", "findings", "plots")
    root = copy.root / "results/smoke"
    results = pd.read_parquet(root / "tables/results.parquet")
    digits = results[(results.dataset == "mnist") & (results.split == "evaluation")]
    wanted = {"is_judge", "diversity_judge", "precision_judge", "recall_judge", "fd_judge"}
    assert wanted <= set(digits.metric)
    assert "cfd_judge" not in set(digits.metric)
    assert set(digits[digits.metric.isin(wanted)].n) == {16}
    with np.load(root / "mnist/samples/cfg/scale-3/grid-0.npz") as file:
        assert file["labels"].tolist() == [number % 10 for number in range(16)]
    assert not (root / "mnist/samples/unguided/scale-none/grid-0.npz").exists()
    # the floor has the classes that are asked for, in the same order
    with np.load(root / "mnist/features/real/floor.npz") as file:
        assert file["labels"].tolist() == [number % 10 for number in range(16)]
    findings = json.loads((root / "findings.json").read_text())
    assert [f["id"] for f in findings if f["dataset"] == "mnist"] == [1, 2, 3, 4, *range(15, 20)]
    pictures = {path.stem for path in (root / "figures/mnist").glob("sheet_grid*.png")}
    assert pictures == {"sheet_grid_cfg_0", "sheet_grid_cfg_3"}


def test_a_noise_trained_classifiers_accuracy_is_measured_on_x0_pred_too(finished) -> None:
    table = pd.read_parquet(finished.root / "results/smoke/tables/sensitivity.parquet")
    own = table[(table.classifier == "noise_trained") & (table.input == "x0")]
    assert set(own.quantity) == {"accuracy"}  # it guides on x_t: of gradients there are those alone
    assert set(own.n) == {16}
    assert sorted(own.t[own.dataset == "mnist"]) == [19, 39, 59, 79, 99]


def test_the_papers_tables_and_figure_9_are_drawn_of_the_samples(finished) -> None:
    root = finished.root / "results/smoke"
    folder, first = root / "figures/sportballs", {}
    with np.load(root / "pictures/sportballs.npz") as kept:
        first = {key: kept[key] for key in kept if key.startswith("first:")}
        judged = kept["judged"]
    with np.load(root / "sportballs/samples/unguided/scale-none/evaluation-0.npz") as file:
        assert (first["first:unguided:none"] == file["images"]).all()
    with np.load(root / "sportballs/features/unguided/scale-none/evaluation-0.npz") as file:
        wanted = np.where(file["diverged"], -1, file["predicted:judge"])
        assert (judged == wanted).all()
    assert {path.name for path in folder.glob("sheet_table.*")} == {
        "sheet_table.png",
        "sheet_table.csv",
    }
    assert len(list(folder.glob("sheet_generations_*.png"))) == len(first) > 1
    text = (root / "report.html").read_text()
    assert "this data set is the paper's SportBalls (table 2)" in text
    assert text.count("this data set is the paper's") == 1  # and MNIST is none of its


def test_no_fid_is_said(finished) -> None:
    log = finished.root / "results/smoke/logs/features/mnist.real.log"
    assert "no Inception weights" in log.read_text()


def test_findings_cover_every_claim_on_every_data_set(finished) -> None:
    findings = json.loads((finished.root / "results/smoke/findings.json").read_text())
    assert [(f["dataset"], f["id"]) for f in findings] == [
        (dataset, number)
        for dataset in ("sportballs", "mnist")
        for number in (*range(1, 15), 20, 21, 22)
    ]
    assert {f["verdict"] for f in findings} <= set(VERDICTS)


def test_rules_have_logs_and_provenance(finished) -> None:
    root = finished.root / "results/smoke"
    stages = {path.parent.name for path in root.glob("logs/*/*.log")}
    provenance = [json.loads(path.read_text()) for path in root.rglob("*provenance.json")]
    assert stages == {entry["stage"] for entry in provenance}
    for entry in provenance:
        assert entry["versions"]["torch"]
        code = json.loads((root / entry["code"]).read_text())
        assert f"stages.{entry['stage']}:run" in code


def test_a_stage_alone_gives_the_same_bytes(copy) -> None:
    """A rule's shell line, pasted into a terminal."""
    manifest = copy.root / "results/smoke/mnist/classifiers/clean/manifest.json"
    before = manifest.read_text()
    shutil.rmtree(manifest.parent)
    job = ["--dataset", "mnist", "--classifier", "clean"]
    done = copy.guidebench("train_classifier", "--config", "workflow/config/smoke.yaml", *job)
    assert done.returncode == 0, done.stderr
    assert manifest.read_text() == before


BLOCK = "--dataset mnist --block evaluation-0"


@pytest.mark.parametrize(
    ("file", "stage"),
    [
        ("mnist/data/train/images.npy", "train_denoiser --dataset mnist"),
        ("mnist/denoiser/unet/diffusion_pytorch_model.safetensors", f"sample {BLOCK}"),
        ("mnist/samples/cfg/scale-3/evaluation-0.npz", f"features {BLOCK}"),
        ("mnist/samples/cfg/scale-3/evaluation-0.cell.json", "metrics --dataset mnist"),
        ("tables/jackknife.parquet", "findings"),
    ],
)
def test_a_truncated_file_is_one_clear_line(file: str, stage: str, copy) -> None:
    path = copy.root / "results/smoke" / file
    path.write_bytes(path.read_bytes()[:-100])
    done = copy.guidebench(*stage.split(), "--config", "workflow/config/smoke.yaml")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert path.name in done.stderr.splitlines()[-1]
    assert "truncated" in done.stderr


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine (Debian: chromium)")
def test_report_in_a_browser(finished) -> None:
    """No console error, every picture loads, the findings table is there, nothing is requested."""
    from playwright.sync_api import sync_playwright

    report = Path(finished.root / "results/smoke/report.html")
    problems, requests = [], []
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page()
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(report.as_uri())
        broken = page.evaluate(
            "[...document.images].filter(i => !i.complete || i.naturalWidth === 0).length"
        )
        pictures = page.evaluate("document.images.length")
        rows = page.locator("#findings tr").count()
        browser.close()
    assert problems == []
    assert broken == 0
    assert pictures > 20
    assert rows > 28
    assert [url for url in requests if url.startswith("http")] == []


@pytest.mark.slow
@pytest.mark.timeout(900)  # Frechet distances of 2,048 features, left-out blocks included
def test_fid_appears_with_weights(copy) -> None:
    """The path of Inception-v3's weights is enough (here: random ones in the same layout)."""
    import hashlib

    import torch
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    weights = copy.root / "inception.pth"
    torch.save({}, weights)
    with pytest.MonkeyPatch.context() as patched:
        # the constructor loads weights: an empty file changes none, so they stay random
        patched.setattr(torch.nn.Module, "load_state_dict", lambda self, state: None)
        extractor = FeatureExtractorInceptionV3(
            "random", ["2048"], feature_extractor_weights_path=str(weights)
        )
    torch.save(extractor.state_dict(), weights)
    copy.configure(
        "metrics/inception",
        {
            "weights": weights.name,
            "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        },
    )
    assert set(copy.planned()) == {"features", "metrics", "collect", "findings", "plots", "report"}
    copy.run()
    results = pd.read_parquet(copy.root / "results/smoke/tables/results.parquet")
    scored = results[results.metric.isin(["fid", "cfid"])]
    assert set(scored.extractor) == {"inception"}
    assert {"floor", "unguided", "cfg"} <= set(scored.setup)
    # a corrected distance of features that random weights make all but equal may be below zero
    assert scored.value.notna().all()
    assert scored.raw.gt(0).all()
