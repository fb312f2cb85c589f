"""What exists on Vercel: projects, deployments, variables and rolling releases."""
