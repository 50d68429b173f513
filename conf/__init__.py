"""Makes the packaged configuration findable beside the installed package."""
