"""The routes of Jira's REST API v2, of its downloads and of its webhook administration."""
