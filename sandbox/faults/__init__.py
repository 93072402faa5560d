"""Makes a sandbox misbehave on request: slow, refusing, cut off, cut short.

Faults are set over HTTP at `/faults`, live in memory only, and are gone when the server stops.
"""
