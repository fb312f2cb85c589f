"""Create a deployment, send the files that Netlify does not have, and wait."""
