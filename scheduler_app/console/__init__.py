"""What a person sees in a terminal: tables, plots, the live screen."""
