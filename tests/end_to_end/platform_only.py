"""The CPU platform without daro-verl's seams, for a job that must not see the plugin."""

from daro_verl import platform

print("tests.end_to_end.platform_only: verl without the daro-verl plugin", flush=True)
platform.activate()
