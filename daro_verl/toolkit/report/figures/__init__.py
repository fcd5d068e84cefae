"""The paper's five figures and one of the prompts. Each module has ``sections(runs, alpha)`` and ``draw(table)``."""
