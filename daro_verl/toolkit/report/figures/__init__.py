"""The paper's five figures, one module each: ``sections(runs, alpha)`` and ``draw(table) -> Figure``."""
