"""CelebA: packed or unpacked, full or partial, attributes, crops, damaged archives."""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_folders import jpeg, refused, saved
from PIL import Image

from guidebench.base import sources
from guidebench.data import celeba, load
from guidebench.data.dataset import DataSet
from guidebench.pipeline.experiment.sections import CelebaData

WIDTH, HEIGHT = 89, 109
COUNT = 12


def _options(root: Path, **changes: Any) -> CelebaData:
    return CelebaData(source="celeba", root=str(root), **{"size": 16} | changes)


def _jpeg(number: int) -> bytes:
    """A flat grey picture whose brightness is 10 times its number."""
    return jpeg(10 * number, (WIDTH, HEIGHT))


def _name(number: int) -> str:
    return f"{number:06d}.jpg"


def _lists(root: Path, count: int = COUNT) -> None:
    """Odd pictures are Male, every third smiles; the first 8 train, 2 validate, the rest test."""
    lines = [str(count), "Male Smiling "]
    for i in range(1, count + 1):
        lines.append(f"{_name(i)} {1 if i % 2 else -1:2d} {1 if i % 3 == 0 else -1:2d}")
    (root / "list_attr_celeba.txt").write_text("\n".join(lines) + "\n")
    part = [f"{_name(i)} {0 if i <= 8 else 1 if i <= 10 else 2}" for i in range(1, count + 1)]
    (root / "list_eval_partition.txt").write_text("\n".join(part) + "\n")


def _unpacked(root: Path, pictures: dict[str, bytes]) -> None:
    (root / "img_align_celeba").mkdir()
    for name, data in pictures.items():
        (root / "img_align_celeba" / name).write_bytes(data)


def _packed(root: Path, pictures: dict[str, bytes]) -> None:
    with zipfile.ZipFile(root / "img_align_celeba.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in pictures.items():
            archive.writestr(f"img_align_celeba/{name}", data)


PICTURES = {_name(i): _jpeg(i) for i in range(1, COUNT + 1)}
Store = Callable[[Path, dict[str, bytes]], None]


def _the_same(root: Path, store: Store, picture: bytes) -> None:
    """One picture under every name, and the lists."""
    store(root, dict.fromkeys(PICTURES, picture))
    _lists(root)


@pytest.fixture(params=[_unpacked, _packed], ids=["unpacked", "packed"])
def store(request: pytest.FixtureRequest) -> Store:
    return request.param


@pytest.fixture
def root(tmp_path: Path, store: Store) -> Path:
    store(tmp_path, PICTURES)
    _lists(tmp_path)
    return tmp_path


def _brightness(part: DataSet) -> np.ndarray:
    """Which picture each one is."""
    return np.round(part.images.mean(axis=(1, 2, 3)) / 10).astype(int)


def _numbers(part: DataSet) -> list[int]:
    return sorted(_brightness(part).tolist())


def test_pictures_and_rows_belong_together(root: Path) -> None:
    train, validation = load(_options(root), 0)
    assert train.classes == ["Male: false", "Male: true"]
    assert train.images.shape == (8, 3, 16, 16)
    assert validation.images.shape == (2, 3, 16, 16)
    np.testing.assert_array_equal(train.labels, _brightness(train) % 2)
    assert _numbers(train) == list(range(1, 9))
    smiling, _ = load(_options(root, attribute="Smiling"), 0)
    np.testing.assert_array_equal(smiling.labels, _brightness(smiling) % 3 == 0)


def test_without_an_attribute_there_are_no_labels(root: Path) -> None:
    (root / "list_attr_celeba.txt").unlink()
    train, _ = load(_options(root, attribute=None), 0)
    assert train.classes == []
    assert (train.labels == -1).all()
    assert train.labels.dtype == np.int64


def test_numbers_take_a_stratified_subset_of_each_partition(root: Path) -> None:
    train, validation = load(_options(root, train=4, validation=1), 0)
    assert np.bincount(train.labels).tolist() == [2, 2]
    assert len(validation.labels) == 1
    said = refused(_options(root, train=9))
    assert re.match(r"data\.train: found 9, allowed: .*\b8\b", said)
    said = refused(_options(root, validation=3))
    assert re.match(r"data\.validation: found 3, allowed: .*\b2\b", said)


def test_only_pictures_with_a_row_and_rows_with_a_picture_count(
    tmp_path: Path, store: Store
) -> None:
    present = [1, 2, 4, 9, 40]  # 40 has no row
    store(tmp_path, {_name(i): _jpeg(min(i, 20)) for i in present})
    _lists(tmp_path)
    train, validation = load(_options(tmp_path), 0)
    assert len(train.labels) == 3
    assert len(validation.labels) == 1


def test_the_central_square_is_kept(tmp_path: Path, store: Store) -> None:
    """A picture white in a central square of 40 pixels and black around it."""
    array = np.zeros((218, 178, 3), np.uint8)
    array[89:129, 69:109] = 255
    _the_same(tmp_path, store, saved(Image.fromarray(array), "JPEG", quality=100, subsampling=0))
    inner, _ = load(_options(tmp_path, crop=40, size=20), 0)
    assert inner.images.min() > 200
    outer, _ = load(_options(tmp_path, crop=80, size=20), 0)
    assert outer.images[..., 7:13, 7:13].min() > 200
    assert outer.images[..., :3, :].max() < 50
    whole, _ = load(_options(tmp_path, size=178), 0)
    rows = np.flatnonzero(whole.images[0, 0, :, 89] > 128)
    assert (rows[0], rows[-1]) == (69, 108)


def test_shrinking_is_anti_aliased(tmp_path: Path, store: Store) -> None:
    """Stripes of one pixel shrink to their mean, not to stripes."""
    array = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    array[:, ::2] = 255
    _the_same(tmp_path, store, saved(Image.fromarray(array), "JPEG", quality=100, subsampling=0))
    train, _ = load(_options(tmp_path, crop=80, size=16), 0)
    assert np.abs(train.images.astype(int) - 128).max() < 30


def test_a_crop_larger_than_the_picture_is_refused(root: Path) -> None:
    assert refused(_options(root, crop=90)).startswith("data.crop: found 90, allowed: at most 89")


def test_an_unknown_attribute_lists_the_known(root: Path) -> None:
    said = refused(_options(root, attribute="male"))
    assert said.startswith("data.attribute: found 'male', allowed: ")
    assert "Male, Smiling" in said


def test_a_missing_root_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path / 'faces'}: no such folder" in refused(_options(tmp_path / "faces"))


def test_missing_pictures_are_named(tmp_path: Path) -> None:
    _lists(tmp_path)
    assert f"{tmp_path / 'img_align_celeba.zip'}: missing" in refused(_options(tmp_path))


@pytest.mark.parametrize("name", ["list_attr_celeba.txt", "list_eval_partition.txt"])
def test_a_missing_list_is_named(name: str, root: Path) -> None:
    (root / name).unlink()
    assert str(root / name) in refused(_options(root))


def test_a_cut_row_is_named(root: Path) -> None:
    path = root / "list_attr_celeba.txt"
    path.write_text(path.read_text()[:-3])
    said = refused(_options(root, attribute="Smiling"))
    assert str(path) in said


def test_a_partition_that_is_no_number_is_named(root: Path) -> None:
    path = root / "list_eval_partition.txt"
    path.write_text(path.read_text().replace(f"{_name(3)} 0", f"{_name(3)} train"))
    said = refused(_options(root))
    assert str(path) in said
    assert "train" in said


def test_no_picture_of_a_partition_is_said(tmp_path: Path, store: Store) -> None:
    store(tmp_path, {_name(1): _jpeg(1)})
    _lists(tmp_path)
    said = refused(_options(tmp_path))
    assert str(tmp_path) in said
    assert "partition 1" in said


def test_a_truncated_archive_is_named(tmp_path: Path) -> None:
    _packed(tmp_path, PICTURES)
    _lists(tmp_path)
    path = tmp_path / "img_align_celeba.zip"
    path.write_bytes(path.read_bytes()[:-200])
    assert f"{path}: truncated or damaged" in refused(_options(tmp_path))


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("offset", [0, 120])
def test_a_damaged_member_is_named(tmp_path: Path, compression: int, offset: int) -> None:
    path = tmp_path / "img_align_celeba.zip"
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in PICTURES.items():
            archive.writestr(f"img_align_celeba/{name}", data)
        start = archive.getinfo(f"img_align_celeba/{_name(3)}").header_offset + 30 + 27 + offset
    _lists(tmp_path)
    data = bytearray(path.read_bytes())
    data[start : start + 20] = b"\xff" * 20
    path.write_bytes(data)
    assert _name(3) in refused(_options(tmp_path))


@pytest.mark.parametrize("keep", [0, 20, 300])
def test_a_truncated_picture_is_named(keep: int, tmp_path: Path, store: Store) -> None:
    store(tmp_path, PICTURES | {_name(3): PICTURES[_name(3)][:keep]})
    _lists(tmp_path)
    said = refused(_options(tmp_path))
    assert f"{_name(3)}: found no whole picture (" in said
    assert "object at" not in said


def test_of_two_pictures_of_a_name_that_of_the_official_folder_is_read(tmp_path: Path) -> None:
    """`thumbs/` comes last and was read, `img_align_celeba/` or not."""
    _lists(tmp_path)
    with zipfile.ZipFile(tmp_path / "img_align_celeba.zip", "w") as archive:
        for i in range(1, COUNT + 1):
            archive.writestr(f"a/img_align_celeba/{_name(i)}", _jpeg(i))
        for i in range(1, COUNT + 1):
            archive.writestr(f"thumbs/{_name(i)}", _jpeg(20))
            archive.writestr(f"__MACOSX/img_align_celeba/._{_name(i)}", b"no picture")
    train, validation = load(_options(tmp_path), 0)
    assert _numbers(train) == list(range(1, 9))
    assert _numbers(validation) == [9, 10]


@pytest.mark.parametrize("folders", [("a", "b"), ("x/img_align_celeba", "y/img_align_celeba")])
def test_a_name_of_two_pictures_is_refused(folders: tuple[str, str], tmp_path: Path) -> None:
    _lists(tmp_path)
    with zipfile.ZipFile(tmp_path / "img_align_celeba.zip", "w") as archive:
        for folder in folders:
            archive.writestr(f"{folder}/{_name(1)}", _jpeg(1))
    said = refused(_options(tmp_path))
    assert said.startswith(str(tmp_path / "img_align_celeba.zip"))
    assert f"found {folders[0]}/{_name(1)} and {folders[1]}/{_name(1)}, allowed: one" in said


@pytest.mark.parametrize("folder", ["", "faces/", "img_align_celeba\\\\"])
def test_an_archive_of_one_folder_is_read_whatever_its_name(folder: str, tmp_path: Path) -> None:
    _lists(tmp_path)
    with zipfile.ZipFile(tmp_path / "img_align_celeba.zip", "w") as archive:
        for i in range(1, COUNT + 1):
            archive.writestr(f"{folder}{_name(i)}", _jpeg(i))
    assert _numbers(load(_options(tmp_path), 0)[0]) == list(range(1, 9))


def test_kaggles_nested_folder_and_lists_are_read(tmp_path: Path) -> None:
    """And what is read is what counts as the data set's content."""
    official, kaggle = tmp_path / "official", tmp_path / "kaggle"
    for root in (official, kaggle):
        root.mkdir()
        _lists(root)
    _unpacked(official, PICTURES)
    (kaggle / "img_align_celeba").mkdir()
    _unpacked(kaggle / "img_align_celeba", PICTURES)
    for name, head in (
        ("list_attr_celeba", "image_id,Male,Smiling"),
        ("list_eval_partition", "image_id,partition"),
    ):
        path = kaggle / f"{name}.txt"
        rows = [line.split() for line in path.read_text().splitlines() if ".jpg" in line]
        path.unlink()
        text = "\r\n".join([head, *(",".join(row) for row in rows)])
        path.with_suffix(".csv").write_text(text)
    for attribute in ("Male", "Smiling"):
        ours, theirs = (load(_options(root, attribute=attribute), 0) for root in (official, kaggle))
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one.images, other.images)
            np.testing.assert_array_equal(one.labels, other.labels)
    inner = kaggle / "img_align_celeba" / "img_align_celeba"
    assert sources.files(_options(kaggle), tmp_path) == [
        kaggle / "list_eval_partition.csv",
        kaggle / "list_attr_celeba.csv",
        *(inner / name for name in sorted(PICTURES)),
    ]
    assert sources.files(_options(kaggle, attribute=None), tmp_path)[1] == inner / _name(1)
    assert sources.files(_options(official), tmp_path)[:3] == [
        official / "list_eval_partition.txt",
        official / "list_attr_celeba.txt",
        official / "img_align_celeba" / _name(1),
    ]


@pytest.mark.parametrize("name", ["list_attr_celeba.txt", "list_eval_partition.txt"])
def test_a_byte_order_mark_drops_no_picture(name: str, root: Path) -> None:
    path = root / name
    rows = "\n".join(line for line in path.read_text().splitlines() if line != str(COUNT))
    path.write_bytes(b"\xef\xbb\xbf" + rows.encode())
    assert _numbers(load(_options(root), 0)[0]) == list(range(1, 9))


def test_a_picture_of_16_bits_keeps_its_brightness(tmp_path: Path, store: Store) -> None:
    """Pillow clips what is above 255 of 65,535: to white."""
    gray = {i: np.full((HEIGHT, WIDTH), 2570 * i, np.uint16) for i in range(1, COUNT + 1)}
    store(tmp_path, {_name(i): saved(Image.fromarray(gray[i]), "PNG") for i in gray})
    _lists(tmp_path)
    train, _ = load(_options(tmp_path), 0)
    assert sorted({int(image.min()) for image in train.images}) == list(range(10, 81, 10))
    assert sorted({int(image.max()) for image in train.images}) == list(range(10, 81, 10))


@pytest.mark.parametrize("mode", ["I", "F"])
def test_a_picture_of_another_depth_is_refused(mode: str, tmp_path: Path, store: Store) -> None:
    _the_same(tmp_path, store, saved(Image.new(mode, (WIDTH, HEIGHT), 3), "TIFF"))
    assert f"its mode is {mode}; allowed: 8 or 16 bits a channel" in refused(_options(tmp_path))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            f"{_name(3)}  1 ",
            f"{_name(3)}  2 ",
            "line 5, column Male: found '2' for 000003.jpg, allowed: -1, 0",
        ),
        (
            f"{_name(3)}  1 ",
            f"{_name(3)}  1 1 ",
            "line 5: found 4 fields, allowed: 3, as most lines have",
        ),
        (_name(4), "4", "line 6: found '4', allowed: a picture's name"),
        (_name(4), _name(3), "line 6: found 000003.jpg again, allowed: each picture once"),
    ],
)
def test_an_odd_row_of_attributes_is_named(old: str, new: str, said: str, root: Path) -> None:
    """What is no 1 was a 0 before."""
    path = root / "list_attr_celeba.txt"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    line = refused(_options(root))
    assert line.startswith(str(path))
    assert said in line


@pytest.mark.parametrize("odd", [" 1", ",1", ',"', " 0,"])
def test_an_odd_row_of_partitions_drops_no_picture(odd: str, root: Path) -> None:
    """A quotation mark that nobody closes would swallow the lines below."""
    path = root / "list_eval_partition.txt"
    text = path.read_text().replace(f"{_name(3)} 0", f"{_name(3)} 0{odd}")
    path.write_text(text.replace(" ", ",") if "," in odd else text)
    assert str(path) in refused(_options(root))


def test_only_the_pictures_asked_for_are_decoded(root: Path, monkeypatch: Any) -> None:
    """The full set has 160,000 training pictures; two of them must not take minutes."""
    opened = []
    decode = Image.open
    monkeypatch.setattr(Image, "open", lambda file: opened.append(1) or decode(file))
    load(_options(root, train=2, validation=1), 0)
    assert len(opened) == 3


@pytest.mark.parametrize("resize", ["bicubic", "bilinear", "lanczos", "box"])
def test_squashed_is_what_torchvisions_resize_makes_of_the_whole_picture(
    resize: str, tmp_path: Path, store: Store
) -> None:
    """The public nrCG code: transforms.Resize((64, 64)), bilinear, with no crop."""
    from torchvision import transforms

    chance = np.random.default_rng(0)
    drawn = [chance.integers(0, 256, (218, 178, 3), np.uint8) for _ in range(COUNT)]
    pictures = {_name(i + 1): saved(Image.fromarray(x), "PNG") for i, x in enumerate(drawn)}
    store(tmp_path, pictures)
    _lists(tmp_path)
    train, _ = load(_options(tmp_path, crop="squash", resize=resize, size=64), 0)
    asked = transforms.Resize((64, 64), transforms.InterpolationMode(resize))
    theirs = [
        np.asarray(asked(Image.open(io.BytesIO(data)))).transpose(2, 0, 1).tobytes()
        for data in list(pictures.values())[:8]
    ]
    assert sorted(image.tobytes() for image in train.images) == sorted(theirs)


def test_crops_of_the_usual_protocols_are_torchvisions(tmp_path: Path, store: Store) -> None:
    """CenterCrop, then Resize; 178 is as large as it fits."""
    from torchvision import transforms

    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (218, 178, 3), np.uint8))
    _the_same(tmp_path, store, saved(picture, "PNG"))
    for crop, side in ((140, 140), (148, 148), (178, 178), (None, 178)):
        train, _ = load(_options(tmp_path, crop=crop, resize="bilinear", size=64), 0)
        theirs = transforms.Resize(64)(transforms.CenterCrop(side)(picture))
        np.testing.assert_array_equal(train.images[0], np.asarray(theirs).transpose(2, 0, 1))


def _identities(root: Path, persons: int, count: int = COUNT) -> None:
    lines = [f"{_name(i)} {1000 + i % persons}" for i in range(1, count + 1)]
    (root / "identity_CelebA.txt").write_text("\n".join(lines) + "\n")


def test_split_by_identity_has_nobody_on_both_sides(tmp_path: Path) -> None:
    """A person's side follows from the seed alone, whichever pictures are there."""
    count, persons = 200, 40
    _packed(tmp_path, {_name(i): _jpeg(1 + i % persons % 25) for i in range(1, count + 1)})
    _lists(tmp_path, count)
    _identities(tmp_path, persons, count)
    by_seed = []
    for seed in range(20):
        options = _options(tmp_path, split="identity")
        parts = celeba.partitions(options, seed, [])
        person = {_name(i): 1000 + i % persons for i in range(1, count + 1)}
        sides = {(person[name], side) for name, side in parts.items()}
        assert len(sides) == persons
        held_out = {one for one, side in sides if side == 1}
        by_seed.append(len(held_out))
        (tmp_path / "identity_CelebA.txt").write_text(
            "\n".join(f"{name} {one}" for name, one in person.items() if int(name[:6]) % 3)
        )
        fewer = celeba.partitions(options, seed, [])
        assert fewer == {name: parts[name] for name in fewer}
        _identities(tmp_path, persons, count)
    # a tenth of the persons: 20 x 40 draws, standard error 0.0106
    assert abs(sum(by_seed) / (20 * persons) - 0.1) < 0.04
    assert len(set(by_seed)) > 1


def test_split_by_identity_is_loaded_without_the_official_list(tmp_path: Path) -> None:
    count = 200
    _packed(tmp_path, {_name(i): _jpeg(1 + i % 25) for i in range(1, count + 1)})
    _lists(tmp_path, count)
    _identities(tmp_path, 25, count)
    (tmp_path / "list_eval_partition.txt").unlink()
    train, validation = load(_options(tmp_path, split="identity"), 1)
    assert len(train.labels) + len(validation.labels) == count
    persons = [set(_numbers(part)) for part in (train, validation)]
    assert not persons[0] & persons[1]
    said = sources.files(_options(tmp_path, split="identity"), tmp_path)
    assert said[0] == tmp_path / "identity_CelebA.txt"
    unlabelled, _ = load(_options(tmp_path, split="identity", attribute=None), 1)
    assert (unlabelled.labels == -1).all()


@pytest.mark.parametrize(
    ("lists", "pictures"),
    [("", ""), ("celeba", "celeba"), ("Anno", "Img"), ("", "Img"), ("celeba", "")],
)
def test_layouts_in_which_people_have_it(
    lists: str, pictures: str, tmp_path: Path, store: Store
) -> None:
    """torchvision's root/celeba, the authors' Anno, Eval and Img, and mixtures."""
    for folder in {lists, pictures, "Eval"} - {""}:
        (tmp_path / folder).mkdir(exist_ok=True)
    store(tmp_path / pictures, PICTURES)
    _lists(tmp_path / lists)
    if lists == "Anno":
        (tmp_path / "Anno/list_eval_partition.txt").rename(
            tmp_path / "Eval/list_eval_partition.txt"
        )
    assert _numbers(load(_options(tmp_path), 0)[0]) == list(range(1, 9))
    assert all(path.is_file() for path in sources.files(_options(tmp_path), tmp_path))


@pytest.mark.parametrize("folder", ["", "img_align_celeba/"])
def test_what_macos_puts_into_archives_is_no_picture(folder: str, tmp_path: Path) -> None:
    _lists(tmp_path)
    with zipfile.ZipFile(tmp_path / "img_align_celeba.zip", "w") as archive:
        for i in range(1, COUNT + 1):
            archive.writestr(f"{folder}{_name(i)}", _jpeg(i))
            archive.writestr(f"__MACOSX/{folder}._{_name(i)}", b"no picture")
    options = _options(tmp_path)
    assert celeba.pictures(options)[0] == [_name(i) for i in range(1, COUNT + 1)]
    assert _numbers(load(options, 0)[0]) == list(range(1, 9))


def test_what_macos_leaves_when_it_unpacks_is_no_picture(tmp_path: Path) -> None:
    """It hid Kaggle's inner folder, and was in the digest."""
    _lists(tmp_path)
    (tmp_path / "img_align_celeba").mkdir()
    (tmp_path / "img_align_celeba" / "._img_align_celeba.jpg").write_bytes(b"no picture")
    _unpacked(tmp_path / "img_align_celeba", PICTURES)
    for name in PICTURES:
        inner = tmp_path / "img_align_celeba" / "img_align_celeba"
        (inner / f"._{name}").write_bytes(b"no picture")
    assert _numbers(load(_options(tmp_path), 0)[0]) == list(range(1, 9))
    assert not [path for path in sources.files(_options(tmp_path), tmp_path) if "._" in path.name]


def test_a_partial_copy_says_how_many_are_missing(
    tmp_path: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    store(tmp_path, {_name(i): _jpeg(i) for i in range(1, COUNT + 1) if i not in (2, 9)})
    _lists(tmp_path)
    train, _ = load(_options(tmp_path), 0)
    assert len(train.labels) == 7
    assert caplog.messages == [
        f"{tmp_path}: 2 of the 12 listed pictures are missing, the first is 000002.jpg; the "
        "others are used"
    ]


def test_a_whole_copy_says_nothing(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    load(_options(root), 0)
    assert caplog.messages == []


def test_the_real_faces_by_identity(data_root: Path) -> None:
    root = data_root / "celeba"
    if not root.is_dir():
        pytest.skip(f"no faces at {root}")
    options = _options(root, split="identity", attribute="Smiling", crop="squash", train=100)
    parts = celeba.partitions(options, 0, [])
    assert len(parts) == 10_000
    # a tenth of some thousand persons with one or two pictures each
    assert 0.07 < np.mean(list(parts.values())) < 0.13
    persons = dict(line.split() for line in (root / "identity_CelebA.txt").read_text().splitlines())
    sides = {(persons[name], side) for name, side in parts.items()}
    assert len(sides) == len({person for person, _ in sides})
    train, _ = load(_options(root, split="identity", train=100, validation=50), 0)
    assert train.images.shape == (100, 3, 16, 16)


def test_the_real_faces(data_root: Path) -> None:
    root = data_root / "celeba"
    if not root.is_dir():
        pytest.skip(f"no faces at {root}")
    train, validation = load(_options(root, train=200, validation=100, size=32), 0)
    assert train.images.shape == (200, 3, 32, 32)
    assert validation.images.shape == (100, 3, 32, 32)
    assert 0.3 < train.labels.mean() < 0.55
    # faces: warm and lively, the middle brighter than nothing
    red, green, blue = train.images.mean(axis=(0, 2, 3))
    assert red > green > blue
    assert train.images.std() > 40
