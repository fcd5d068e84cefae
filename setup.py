"""For tools that ask for it. All of the package's metadata is in pyproject.toml."""

from setuptools import setup

setup()
