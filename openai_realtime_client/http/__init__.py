"""The HTTP client, on urllib3: configuration, requests and responses."""
