"""The parts of experiments.report and experiments.claims: numbers from result files, statistics, pages."""
