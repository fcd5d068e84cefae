"""What a job knows of each prompt's difficulty, and for which prompts it therefore generates responses."""
