"""Language models: their variants, the memory and time they need, and how good they are."""
