"""Ranking losses: pure functions first, thin modules over them."""
