"""What exists on Vercel: projects, deployments, variables, rolling releases."""
