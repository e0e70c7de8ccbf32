"""How letters leave, one module a kind."""
