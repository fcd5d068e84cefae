"""The charts as a saved view of a project's workspace in Weights & Biases."""

from typing import Any

from daro_verl.errors import DaroConfigError
from daro_verl.toolkit.layout.charts import SECTIONS

NAME = "DARO"


def workspace(entity: str, project: str) -> Any:
    """Return the view. Save it with ``save()``, which needs a login (``wandb login``).

    Raises:
        DaroConfigError: wandb-workspaces is not installed.
    """
    try:
        from wandb_workspaces import workspaces
        from wandb_workspaces.reports.v2 import LinePlot
    except ImportError as error:
        fix = "pip install wandb-workspaces"
        raise DaroConfigError("layout", got=str(error), expected="wandb-workspaces", fix=fix) from error
    sections = [
        workspaces.Section(
            name=section,
            is_open=True,
            panels=[
                LinePlot(title=chart.title, metric_regex="|".join(f"^{metric}$" for metric in chart.metrics))
                for chart in charts
            ],
        )
        for section, charts in SECTIONS.items()
    ]
    return workspaces.Workspace(entity=entity, project=project, name=NAME, sections=sections)
