"""Read and change objects of Netlify: teams, sites, deployments, variables."""
