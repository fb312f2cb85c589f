"""Parts that all routes share: requests, responses, errors, the OpenAPI document."""
