"""What the API server adds to an object or refuses in it, kind by kind."""
