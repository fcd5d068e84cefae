"""``daro data``: training and validation files for verl. See ``docs/data.md``."""

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from daro_verl.toolkit.command_line import interruptible, one_of
from daro_verl.toolkit.data.dataset_spec import DatasetSpec
from daro_verl.toolkit.data.file_options import FileOptions, dataset_spec, gym_sources, named_sources
from daro_verl.toolkit.data.sources import BENCHMARKS, SOURCES, TESTS, TRAINING

app = typer.Typer(no_args_is_help=True, help="Write parquet files in verl's schema, each with a report beside it.")
_resumable = partial(interruptible, "Run the same command again to go on from the last rows saved.")

Tests = Annotated[list[Path] | None, typer.Option(help="A file whose problems to leave out. Repeatable.")]
NoTest = Annotated[bool, typer.Option("--no-test", help="Leave no problems out: there is no test file.")]
Out = Annotated[Path, typer.Option(help="The parquet file to write. Its report goes beside it.")]
Local = Annotated[
    list[str] | None, typer.Option(metavar="SOURCE=PATH", help="Read this source from a file or folder, not the hub.")
]
Splits = Annotated[list[str] | None, typer.Option(metavar="SOURCE=A+B", help="Splits to read of this source.")]
Revision = Annotated[
    list[str] | None, typer.Option(metavar="SOURCE=COMMIT", help="Branch, tag or commit of this source on the hub.")
]
System = Annotated[
    str | None, typer.Option(help="System message of every row; an empty string for none. Default: the source's own.")
]
SystemFrom = Annotated[
    str | None,
    typer.Option(callback=one_of(SOURCES), metavar="SOURCE", help="Give every row this data set's system message."),
]
Suffix = Annotated[
    str | None,
    typer.Option(
        help="Text after each problem. Default: a sentence that asks for a box, or nothing with a system message."
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Read at most this many raw rows of each source. Default: all.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file that this command wrote.")]


@app.command()
def train(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            callback=one_of(TRAINING),
            help=f"Data sets to read, in this order. Known: {', '.join(TRAINING)}.",
            show_default=False,
        ),
    ],
    out: Out,
    test: Tests = None,
    no_test: NoTest = False,
    local: Local = None,
    splits: Splits = None,
    revision: Revision = None,
    system: System = None,
    system_from: SystemFrom = None,
    suffix: Suffix = None,
    limit: Limit = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a training file, without the problems of the test files.

    \b
    Example: daro data train openr1 --test data/test.parquet --out data/train.parquet
    """
    options = FileOptions(
        out, "train", test, no_test, local, splits, revision, system, system_from, suffix, limit, overwrite
    )
    with _resumable():
        write(dataset_spec(named_sources(sources, options), options))


@app.command()
def test(
    out: Out,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE",
            callback=one_of(TESTS),
            help=f"Benchmarks to read. Default: the paper's six. Known: {', '.join(TESTS)}.",
        ),
    ] = None,
    local: Local = None,
    splits: Splits = None,
    revision: Revision = None,
    system: System = None,
    system_from: SystemFrom = None,
    suffix: Suffix = None,
    limit: Limit = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a validation file of the benchmarks.

    \b
    Example: daro data test --system-from openr1 --out data/test.parquet
    """
    options = FileOptions(
        out, "test", None, False, local, splits, revision, system, system_from, suffix, limit, overwrite
    )
    with _resumable():
        write(dataset_spec(named_sources(sources or list(BENCHMARKS), options), options))


@app.command()
def gym(
    task: Annotated[list[str], typer.Option(metavar="NAME[:JSON]", help="A task, and its knobs as JSON. Repeatable.")],
    out: Out,
    size: Annotated[int, typer.Option(min=1, help="Number of entries of each task.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the generators.")] = 0,
    split: Annotated[Literal["train", "test"], typer.Option(help="Kind of file: for training or for tests.")] = "train",
    rollouts: Annotated[int, typer.Option(min=1, help="Number of responses to each row of a test file.")] = 1,
    test: Tests = None,
    no_test: NoTest = False,
    local: Local = None,
    splits: Splits = None,
    revision: Revision = None,
    system: System = None,
    system_from: SystemFrom = None,
    suffix: Suffix = None,
    limit: Limit = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a file of reasoning-gym tasks.

    \b
    Example: daro data gym --task 'chain_sum:{"min_terms": 3}' --task gcd --size 5000 --no-test --out data/gym.parquet
    """
    options = FileOptions(
        out, split, test, no_test, local, splits, revision, system, system_from, suffix, limit, overwrite
    )
    with _resumable():
        write(dataset_spec(gym_sources(task, size, seed, rollouts), options, arguments=(task, size, seed)))


@app.command()
def difficulty(
    run: Annotated[Path, typer.Argument(help="A job's folder of checkpoints, or one checkpoint.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The parquet file to write.")],
    low: Annotated[float, typer.Option(help="Lowest predicted pass rate to keep.")] = 0.0,
    high: Annotated[float, typer.Option(help="Highest predicted pass rate to keep.")] = 1.0,
    not_seen: Annotated[bool, typer.Option("--not-seen", help="Also keep prompts that the job has not seen.")] = False,
    data: Annotated[list[Path] | None, typer.Option(help="Parquet files to read. Default: the job's own.")] = None,
    prompt_key: Annotated[str, typer.Option(help="Column that holds the chats.")] = "prompt",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Write the prompts whose predicted pass rate, by a job's memory, is in a range.

    \b
    Example: daro data difficulty outputs/NAME/checkpoints --low 0.1 --high 0.9 --out data/band.parquet
    """
    from daro_verl.toolkit.data.difficulty import filter_prompts
    from daro_verl.toolkit.data.display import print_difficulty

    print_difficulty(out, filter_prompts(run, out, low, high, not_seen, data or [], prompt_key, overwrite))


@app.command("sources")
def list_sources() -> None:
    """List the data sets.

    \b
    Example: daro data sources
    """
    from daro_verl.toolkit.data.display import print_sources

    print_sources()


def write(spec: DatasetSpec) -> None:
    """Write the file, and print the counts of kept and dropped rows."""
    from daro_verl.toolkit.data.display import build_with_bars, print_result

    print_result(spec, build_with_bars(spec))
