"""See graders."""
