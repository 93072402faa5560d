"""Every outside effect under every fault, counted in the outside systems themselves; run by `make faults`."""
