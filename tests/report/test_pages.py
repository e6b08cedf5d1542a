"""Figures, picture sheets and pages made from synthetic tables."""

from __future__ import annotations

import hashlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import synthetic_tables as synthetic
from conftest import REPOSITORY
from PIL import Image

from guidebench.pipeline.errors import UserError
from guidebench.report import words
from guidebench.report.claims import findings
from guidebench.report.figures import drawing, films, sheets
from guidebench.report.figures.forward import band
from guidebench.report.figures.sampling import against_scale
from guidebench.report.pages import index, page
from guidebench.report.tables import Measure, Tables

EXPECTED = {
    "accuracy",
    "logit_sensitivity",
    "grad_sensitivity",
    "grad_sensitivity_stabilized",
    "gradient_checks",
    "accuracy_guide",
    "accuracy_judge",
    "fd",
    "cfd",
    "loss",
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("results") / "demo"
    tables = synthetic.tables()
    synthetic.write(tables, root / "tables")
    synthetic.pictures(root / "pictures" / "balls.npz", tables, "balls")
    drawing.draw(tables, "balls", root / "figures" / "balls")
    drawing.draw_costs(tables, root / "figures")
    draw_pictures(root, tables, root / "figures" / "balls")
    return root


def draw_pictures(root: Path, tables: Tables, folder: Path) -> list[Path]:
    pictures = sheets.read(root / "pictures" / "balls.npz")
    return [
        part
        for module in (sheets, films)
        for part in module.draw(pictures, tables, "balls", folder)
    ]


def html(root: Path) -> str:
    tables = Tables.read(root / "tables")
    return page.render(root, tables, findings.decide(tables), root / "figures")


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_every_figure_is_there_twice(root: Path) -> None:
    folder = root / "figures" / "balls"
    for suffix in ("svg", "png"):
        assert {path.stem for path in folder.glob(f"*.{suffix}")} >= EXPECTED
    assert (root / "figures" / "costs.svg").is_file()


def test_figures_and_sheets_have_the_same_bytes_again(root: Path, tmp_path: Path) -> None:
    tables = Tables.read(root / "tables")
    again = drawing.draw(tables, "balls", tmp_path)
    again += draw_pictures(root, tables, tmp_path)
    for path in again:
        digests = {
            hashlib.sha256(file.read_bytes()).hexdigest()
            for file in (path, root / "figures" / "balls" / path.name)
        }
        assert len(digests) == 1, path.name
    assert b"dc:date" not in (tmp_path / "cfd.svg").read_bytes()


def test_page_is_self_contained(root: Path) -> None:
    tags = Tags(html(root)).found
    images = [attributes for tag, attributes in tags if tag == "img"]
    assert len(images) >= len(EXPECTED) + 4
    assert all(str(image["src"]).startswith("data:image/") for image in images)
    assert all("alt" in image for image in images)
    ids = {attributes["id"] for _, attributes in tags if "id" in attributes}
    for tag, attributes in tags:
        assert tag != "script"
        link = attributes.get("href") or ""
        assert not link.startswith(("http", "//"))
        assert not link.startswith("#") or link[1:] in ids, link


def test_page_shows_the_findings_table(root: Path) -> None:
    text = html(root)
    tags = Tags(text).found
    assert ("table", {"id": "findings"}) in tags
    rows = [attributes for tag, attributes in tags if tag == "tr" and "id" in attributes]
    assert [row["id"] for row in rows] == [f"balls-{number}" for number in range(1, 15)]
    assert text.count('class="verdict holds">holds</span></td>') == 14
    assert "of the 14 verdicts below up to about\n0.7." in text
    assert "14 hold, 0 do not hold and\n0 are undecided" in text


def test_page_says_what_it_does_not_show(root: Path) -> None:
    text = html(root)
    assert "There is no FID in this report" in text
    assert "This model only" in text
    assert "clean (non-robust)" in text
    assert "noise-trained (robust)" in text
    # what the sampler alone does, and where scale 1 is not what it seems
    assert "0.282 (s = 0.1), 0.753 (1) times\ntheir variance" in text
    written = (REPOSITORY / "docs/samplers.md").read_text()
    assert "| ancestral, v = 0 | mean | 0.817 | 0.927 | 0.956 |" in written
    assert "82 % of the target class at 25 steps, 93 % at 100 and 96 % at 400" in text


def test_page_without_pictures_and_with_markup_in_names(tmp_path: Path) -> None:
    tables = synthetic.tables()
    tables.summary["description"] = "<script>alert(1)</script>"
    text = page.render(tmp_path, tables, findings.decide(tables), tmp_path / "figures")
    assert "<script>" not in text
    assert "<img" not in text


def test_page_warns_of_a_schedule_that_does_not_end_in_noise(root: Path) -> None:
    text = html(root)
    assert "does not end in noise" in text
    assert "1.72 % of the variance" in text
    tables = synthetic.tables()
    tables.summary["datasets"]["balls"]["terminal_snr"] = 1e-4
    text = page.render(root, tables, findings.decide(tables), root / "figures")
    assert "does not end in noise" not in text


def test_page_says_why_there_is_no_floor() -> None:
    tables = synthetic.tables()
    rows = tables.results
    rows.drop(rows.index[rows.setup == "floor"], inplace=True)
    text = page.render(Path(), tables, findings.decide(tables), Path())
    assert "floor: none (fewer than 256 held-out images of the target class)" in text


def test_best_table_shows_evaluation_at_the_selected_scale(root: Path) -> None:
    text = html(root)
    # among the winners, and beside floor and unguided
    won, row = (line for line in text.splitlines() if 'class="best"' in line)
    assert "<td>clean (non-robust), x0+ema0.99</td><td>100</td>" in row
    assert "<td>clean (non-robust), x0+ema0.99</td><td>100</td><td>3 [2.86, 3.14]</td>" in won
    assert "<td>3.00\u00a0±\u00a00.06</td>" in row
    # shares with the exact intervals that claims have
    assert "<td>97 [93.9, 98.6]</td>" in row


def test_the_best_of_all_is_said_where_no_classifier_guides_it() -> None:
    """`of all` only beside others, and a classifier's winner is not said twice."""
    tables = synthetic.tables()

    def line() -> str:
        text = page.render(Path(), tables, findings.decide(tables), Path())
        (found,) = [one for one in text.splitlines() if "of the best setup" in one]
        return text[text.index(found) :].partition("<br>")[0]

    assert "of all:" not in line()
    setups = tables.facts("balls")["setups"]
    for setup in ("clean/x0+ema0.99", "clean/x0"):  # the winner, and another clean one
        setups[setup] |= {"kind": "cfg", "classifier": None}
    assert "; of all: <code>clean/x0+ema0.99</code> at scale 100, 3.00" in line()
    setups["cfg"] = setups.pop("clean/x0+ema0.99")
    for rows in (tables.results, tables.jackknife):
        rows.loc[rows.setup == "clean/x0+ema0.99", "setup"] = "cfg"
    assert "; of all: <code>cfg</code> at weight 100, 3.00" in line()
    for setup in set(setups) - {"unguided", "cfg"}:
        del setups[setup]
    assert ": <code>cfg</code> at weight 100, 3.00" in line()
    assert "of all:" not in line()


def test_sheet_pixels_are_whole_and_labelled_rows_align(root: Path) -> None:
    folder = root / "figures" / "balls"
    with np.load(root / "pictures" / "balls.npz") as file:
        first = file["real"][0].transpose(1, 2, 0)
    sheet = np.asarray(Image.open(folder / "sheet_real.png"))
    assert (sheet[2:66:2, 2:66:2] == first).all()
    names = {path.stem for path in folder.glob("sheet_*.png")}
    assert {"sheet_best", "sheet_forward", "sheet_scales_clean-x0-ema0.99"} <= names


def test_animation_shows_every_frame_of_the_selected_cells(root: Path, tmp_path: Path) -> None:
    folder = root / "figures" / "balls"
    with Image.open(folder / "sheet_animation.gif") as animation:
        assert animation.n_frames == 6
        assert animation.info["loop"] == 0
        width = animation.size[0]
    # 3 images as x_t, then the same as x0_pred; the strip has six frames in a row
    strip = Image.open(folder / "sheet_film.png")
    assert width == strip.size[0]
    pictures = sheets.read(root / "pictures" / "balls.npz")
    empty = {key: value[:0] if key.startswith("film") else value for key, value in pictures.items()}
    assert films.draw(empty, Tables.read(root / "tables"), "balls", tmp_path) == []


def test_weight_zero_is_on_an_axis_without_negative_scales() -> None:
    tables = synthetic.tables()
    rows = tables.results
    rows.loc[(rows.setup == "clean/x0") & (rows.scale == 1), "scale"] = 0.0
    axes = against_scale(tables, "balls", "cfd_judge").axes[0]
    assert axes.get_xscale() == "symlog"
    assert -0.03 <= axes.get_xlim()[0] < 0


def test_band_never_reaches_zero() -> None:
    low, high = band(np.array([1.0, 2.0]), np.array([5.0, 0.0]))
    assert (low > 0).all()
    assert low[1] == high[1] == 2.0
    assert low[0] * high[0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (12.3456, 0.4321, "12.3 ± 0.4"),
        (12.3456, 0.1234, "12.35 ± 0.12"),
        (1234.5, 56.0, "1234 ± 56"),
        (0.98, 0.004, "0.980 ± 0.004"),
        (1.0, 0.0, "1.000 ± 0.000"),
        (3.14159, float("nan"), "3.14"),
        (9.96, 0.0996, "9.96 ± 0.10"),
    ],
)
def test_value_and_error_have_the_same_decimals(value: float, error: float, text: str) -> None:
    assert words.measure(Measure(value, error, 10)).replace("\u00a0", " ") == text


def test_interval_shares_a_line_with_its_estimate() -> None:
    values = {"t": 3, "rise": 1.5, "rise, low": 1.0, "rise, high": None}
    assert words.lines(values) == {"t": "3", "rise": "1.5 [1, –]"}


def test_index_leads_to_reports() -> None:
    text = index.render(
        [
            {
                "name": name,
                "description": "",
                "report_path": f"{name}/report.html",
                "findings": {"holds": 3, "undecided": 1},
            }
            for name in ("b", "a")
        ]
    )
    links = [attributes["href"] for tag, attributes in Tags(text).found if tag == "a"]
    assert links == ["a/report.html", "b/report.html"]
    assert "3 holds" in text


def test_missing_and_broken_tables_are_named(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"results\.parquet: missing"):
        Tables.read(tmp_path)
    synthetic.write(synthetic.tables(), tmp_path)
    (tmp_path / "costs.parquet").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"costs\.parquet: not a parquet file"):
        Tables.read(tmp_path)


def test_a_grid_names_classes_only_where_they_were_asked_for() -> None:
    """Without, the notebook's 64 of 70 images: full rows alone."""
    facts = {
        "target": "each",
        "classes": ["a", "b"],
        "setups": {"unguided": {"asked": False}, "cfg": {"asked": True}},
    }
    images = np.arange(70, dtype=np.uint8).reshape(70, 1, 1, 1)
    rows = dict(sheets._classes(images, facts, "cfg"))
    assert list(rows) == ["a", "b"]
    assert rows["b"].ravel().tolist() == list(range(1, 70, 2))
    assert [(label, len(shown)) for label, shown in sheets._classes(images, facts, "unguided")] == [
        ("", 64)
    ]
    one = facts | {"target": "a"}
    assert len(sheets._classes(images, one, "unguided")[0][1]) == 70
