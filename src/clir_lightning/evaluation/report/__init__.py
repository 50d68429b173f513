"""A comparison as one HTML page without external resources."""
