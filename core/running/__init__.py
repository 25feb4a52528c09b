"""How the stages of one execution run."""
