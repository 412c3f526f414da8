"""Benchmark rows to summaries, tables, diagrams and a report."""
