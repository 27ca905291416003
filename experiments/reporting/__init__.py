"""What experiments.report and experiments.claims are made of: numbers from result files, statistics, pages."""
