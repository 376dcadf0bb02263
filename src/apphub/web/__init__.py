"""What all doors share: who is asking, what it takes, and how an error looks."""
