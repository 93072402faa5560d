"""The `mlc` command: the local stack, the processes of a real installation, and a desk for operators."""
