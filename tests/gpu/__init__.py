"""Tests on a real GPU, where there is one."""
