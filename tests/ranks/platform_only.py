"""The CPU platform without daro-verl's seams, for a job that must not see the plugin."""

from daro_verl import platform

platform.activate()
