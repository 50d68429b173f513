"""Tokens: every text tokenised once, pairs and single texts assembled from them."""
