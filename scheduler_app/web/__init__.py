"""What a person looks at in a browser, and what watches the service: page, API, metrics, health."""
