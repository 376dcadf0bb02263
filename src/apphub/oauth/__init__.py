"""The OAuth 2 provider: servers and services sign their visitors in with it."""
