"""What bench/vercel.py measures with."""
