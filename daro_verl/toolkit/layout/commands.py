"""``daro layout tensorboard | wandb``. See ``docs/watch.md``."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Set up the charts of a DARO job in TensorBoard or Weights & Biases.")


@app.command("tensorboard")
def tensorboard_layout(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder for tensorboard --logdir.")],
) -> None:
    """Write the charts for TensorBoard's page Custom Scalars, beside a job's own event files.

    \b
    Example: daro layout tensorboard outputs/NAME/tensorboard
    """
    from daro_verl.toolkit.layout.tensorboard import write_layout

    folder = write_layout(directory)
    print(f"{folder} has the layout. To see it: tensorboard --logdir {directory}, page Custom Scalars")


@app.command("wandb")
def wandb_layout(
    entity: Annotated[str, typer.Argument(metavar="ENTITY", help="The team or user that owns the project.")],
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="trainer.project_name of the job.")],
) -> None:
    """Save the charts as a view of a project's workspace. Log in first: wandb login.

    \b
    Example: daro layout wandb my-team daro
    """
    from daro_verl.toolkit.layout.wandb import workspace

    view = workspace(entity, project)
    view.save()
    print(view.url)
