"""The process that hosts workflows and activities: settings, connection, wiring, lifecycle."""
