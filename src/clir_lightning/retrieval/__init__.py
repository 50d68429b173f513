"""First-stage ranking: BM25 and query translation."""
