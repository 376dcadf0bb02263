"""Who is asking, and how far they may reach: scopes, roles, actors, tokens."""
