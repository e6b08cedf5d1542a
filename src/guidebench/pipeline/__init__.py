"""How an experiment is run and what is kept of it; by rule nothing here can change a number."""
