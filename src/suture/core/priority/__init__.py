"""What to close first, and by when: scores, decisions, deadlines, weaknesses."""
