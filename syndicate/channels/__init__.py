"""Where announcements go, one module or folder a kind."""
