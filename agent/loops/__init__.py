"""When things happen: each loop owns one rhythm and sees the world through ports only."""
