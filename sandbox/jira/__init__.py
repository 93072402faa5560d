"""A stand-in for Jira Data Center 10.3 or Jira Cloud: REST v2, people, a workflow, signed webhooks and a board page.

It is a server of its own with storage of its own, reachable by any client, and shares no code with the rest of
this project, so that it can disagree with it.
"""
