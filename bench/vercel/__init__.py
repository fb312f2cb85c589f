"""Helpers of bench/vercel.py."""
