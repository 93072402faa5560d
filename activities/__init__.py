"""Everything that touches a system outside: ModelOp Center, Jira, the review document.

One package per system. Each owns the types that cross its border, knows nothing of workflows, and gets its
clients through its constructor.
"""
