"""The data plane: which path goes to which server."""
