"""Ports meet adapters."""
