"""``python -m daro_verl.toolkit.doctor``: the same as ``daro doctor``."""

import typer

from daro_verl.toolkit.doctor import doctor

if __name__ == "__main__":
    typer.run(doctor)
