"""The cost of DARO beside GRPO: time, memory, communication and waiting, each measured side by side. See docs/cost.md.

python -m benchmarks.cost [PART ...]      # parts.py lists them; without a name, all
python -m benchmarks.cost report          # the table of what was measured so far
"""
