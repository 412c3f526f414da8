"""Prompts to tokens: reading, the shipped noun table, sentence encoders."""
