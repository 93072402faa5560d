"""The process itself: deterministic code only, no clients, no settings, no clock of its own."""
