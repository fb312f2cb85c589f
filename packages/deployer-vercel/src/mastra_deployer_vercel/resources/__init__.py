"""The resources on Vercel: projects, deployments, variables and rolling releases."""
