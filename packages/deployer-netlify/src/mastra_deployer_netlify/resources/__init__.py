"""Objects of Netlify: teams, sites, deployments, variables."""
