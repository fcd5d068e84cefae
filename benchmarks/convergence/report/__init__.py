"""Tables, figures and a JSON summary of a campaign's results."""
