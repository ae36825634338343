"""Other implementations as judges of ours."""
