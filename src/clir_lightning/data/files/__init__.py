"""File formats: TREC, BEIR, lines of text; read in full or rejected with the line."""
