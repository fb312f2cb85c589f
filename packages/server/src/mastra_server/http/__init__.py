"""What every route shares: requests, responses, errors, the OpenAPI document."""
