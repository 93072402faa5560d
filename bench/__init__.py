"""What is run by hand, apart from the tests: measurements and drills."""
