"""What `mlc doctor` looks at: one module per system, each check a small function with its clients given to it."""
