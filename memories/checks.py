"""System checks: what a wrong set-up looks like, each with an id and what to do."""
