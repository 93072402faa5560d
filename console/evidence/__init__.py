"""What outlives Temporal's retention: a run's history with its document, replayed, exported and verified."""
