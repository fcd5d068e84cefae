"""The paper's five figures and one of the prompts, a module each: ``sections(runs, alpha)``, ``draw(table)``."""
