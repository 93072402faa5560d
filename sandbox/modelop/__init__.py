"""A stand-in for ModelOp Center: its model-manage REST interface, a job runner for risk tests, and pages to look at."""
