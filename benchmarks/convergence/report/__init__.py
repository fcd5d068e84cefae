"""Tables, figures and a summary in JSON from the results that a campaign left."""
