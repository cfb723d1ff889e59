"""Files made from a seed for the tests: published layouts with their oddities, pictures of harm."""
