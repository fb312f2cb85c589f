"""The tests of the suite for stores of durable runs, by subject."""
