"""What is known of each prompt's difficulty, and which prompts are generated for because of it."""
