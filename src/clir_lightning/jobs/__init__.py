"""One job per verb."""
