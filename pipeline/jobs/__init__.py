"""One run: job spec, plan, tasks, workers, manifest."""
