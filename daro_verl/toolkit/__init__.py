"""Around a training: data sets, models, recipes, evaluation and the report. The core never imports this package."""
