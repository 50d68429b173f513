"""Topics: a neural topic model of documents that is applied to queries in another language."""
