"""Knowledge: a graph of entities with terms in two languages, its store, and what in it a text means."""
