"""The sweep over all runs that wait on a ticket: what a lost webhook would have told them."""
