"""Apps that come with the hub; each is one file that imports nothing of it."""
