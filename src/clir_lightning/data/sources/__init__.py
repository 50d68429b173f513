"""Sources: one file each, from what lies somewhere to a collection."""
