"""The charts as a layout of TensorBoard's page *Custom Scalars*: one small event file."""

from pathlib import Path

from daro_verl.errors import DaroConfigError
from daro_verl.toolkit.layout.charts import SECTIONS

RUN = "layout"
"""The folder of the event file. TensorBoard merges the layouts of all runs below its directory."""


def write_layout(directory: Path) -> Path:
    """Write the layout into ``directory/layout``. An existing layout is replaced.

    Args:
        directory: the folder for ``tensorboard --logdir``, or a run's ``TENSORBOARD_DIR``.

    Returns:
        The folder.

    Raises:
        DaroConfigError: ``directory`` does not exist, or tensorboard is not installed.
    """
    if not directory.is_dir():
        fix = "name the folder to which a job with trainer.logger=[tensorboard] writes (TENSORBOARD_DIR)"
        raise DaroConfigError("DIR", got=str(directory), expected="a directory", fix=fix)
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        fix = "pip install tensorboard"
        raise DaroConfigError("layout", got=str(error), expected="tensorboard", fix=fix) from error
    folder = directory / RUN
    for old in folder.glob("events.out.tfevents.*"):
        old.unlink()
    with SummaryWriter(str(folder)) as writer:
        writer.add_custom_scalars(
            {
                section: {chart.title: ["Multiline", [f"^{metric}$" for metric in chart.metrics]] for chart in charts}
                for section, charts in SECTIONS.items()
            }
        )
    return folder
