"""Turns Jira's webhooks into signals of the implementation that waits for the ticket."""
